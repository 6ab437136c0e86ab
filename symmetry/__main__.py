"""The command ``symmetry``, also as ``python -m symmetry``: imports wait until it runs."""

import os
import sys


def main() -> None:
    """Run the command line; a Ctrl-C during its imports ends it without a traceback."""
    try:
        from symmetry.cli import main as run
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        os._exit(130)
    run()


if __name__ == "__main__":
    main()
