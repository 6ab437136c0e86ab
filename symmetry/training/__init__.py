"""A training: what a run of it is, its starts and their response; each framework in its folder."""
