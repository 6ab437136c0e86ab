"""The network: formulas to be read, and the compiled core with the same bits on every machine."""

# The version of those bits. It rises when somebody decides that they change, for every machine at
# once. 1: products were rounded, then added. 2: a fused multiply-add rounds once.
BITS = 2
