"""What a step does to modules and losses, seen from outside, and done with other arguments."""
