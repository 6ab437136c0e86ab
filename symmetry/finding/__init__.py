"""Finding the groups of equal units of a training by exchanging them."""
