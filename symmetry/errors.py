"""The one exception that reaches a user as a single readable line."""


class SymmetryError(Exception):
    """Something the user asked for cannot be done; the message is one readable line.

    The command line prints it on standard error and exits with status 2.
    """
