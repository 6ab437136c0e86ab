"""From a name to a target: resolving and loading."""
