"""The invariants of two-layer steps, and what measures them."""
