"""Data sets in the IDX format, the embedded MNIST, and portable random numbers."""
