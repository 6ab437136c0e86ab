"""The laws of the loop, on events and on scripts."""
