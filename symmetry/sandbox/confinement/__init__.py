"""The kernel keeps the user's files: what a script's process may write to, and who is told."""
