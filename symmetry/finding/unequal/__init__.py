"""The operation that makes units unequal: a constant, a reshape, or a look at single units."""
