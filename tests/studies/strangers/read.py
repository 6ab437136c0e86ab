"""Answers to scripts with a bug that speak of something else, or of it from afar: all were read."""

READ: dict[str, str] = {}
