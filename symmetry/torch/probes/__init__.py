"""Calls of modules and losses in a step: observed, and repeated with other arguments."""
