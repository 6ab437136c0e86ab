"""The child process that runs the code under test."""
