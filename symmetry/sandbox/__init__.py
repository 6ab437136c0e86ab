"""A script in a process state and a mirror of its own: it changes nothing of the user's."""
