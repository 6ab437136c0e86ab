"""What a model must do by itself: in evaluation, for each sample, in its custom functions."""
