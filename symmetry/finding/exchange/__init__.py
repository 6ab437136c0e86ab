"""Exchanges of units: in one array, through one operation, and back to the leaves."""
