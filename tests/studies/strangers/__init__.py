"""Training scripts of public repositories, each checked as its authors wrote it."""
