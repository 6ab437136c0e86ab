"""Losses, outputs and tokens that are read off the jaxpr of a step."""
