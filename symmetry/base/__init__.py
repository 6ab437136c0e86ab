"""Basics for all floors: errors, files, records, memory, processes, random numbers."""
