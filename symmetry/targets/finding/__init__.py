"""Finding the equal units of a model by experiment: exchange two slices, see what moves along."""
