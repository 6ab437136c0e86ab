"""Whether updates move what they should: parameters with a gradient, and no others."""
