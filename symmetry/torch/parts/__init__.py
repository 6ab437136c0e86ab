"""The parts of a run: one file for each thing that it holds, or is able to do."""
