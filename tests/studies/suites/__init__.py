"""Tests as maintainers of trainers would write them, and old bugs that they catch."""
