"""The loaders of a script, their workers, and the seeds that decide its batches."""
