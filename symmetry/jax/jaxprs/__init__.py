"""Jaxprs: evaluated in another precision or without noise, marked, and recorded as a trace."""
