"""Batches of texts: tokens that a mask hides, and tokens that fill rows up."""
