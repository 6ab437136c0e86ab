"""Cases of two-layer steps: drawn, shrunk, and made into starts."""
