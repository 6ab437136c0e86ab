"""Laws that a sound training loop obeys, judged on one run over whole epochs: one law a file."""
