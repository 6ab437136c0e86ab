"""The range of seeds: every generator of every library takes them."""

MOST = 2**32 - 1  # as NumPy's oldest generator has it
