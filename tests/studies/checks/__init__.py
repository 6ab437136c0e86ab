"""The costs of checks of small scripts, beside an epoch of each."""
