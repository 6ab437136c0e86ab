"""The costs of checks of twelve scripts, beside an epoch of each and tests of other libraries."""
