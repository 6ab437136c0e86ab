"""The network: formulas to be read, and the compiled core whose bits never change."""
