"""A training's first steps: up to their losses, with gradients, and from a generic start."""
