"""What holds of a sound training loop, as a run over whole epochs shows it: one law a file."""
