"""A script on several ranks: forked processes, which run it up to a few updates."""
