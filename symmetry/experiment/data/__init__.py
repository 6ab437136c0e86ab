"""Data sets in the IDX format, and the embedded MNIST."""
