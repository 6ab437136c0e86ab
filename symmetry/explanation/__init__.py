"""The guilty operation: the first one that tells equal units apart, found by exchanging two."""
