"""The guilty operation: the first that treats equal units differently, found by exchanging two."""
