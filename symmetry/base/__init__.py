"""What every floor may need: errors, files, records, memory, processes, random numbers."""
