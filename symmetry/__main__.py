"""``python -m symmetry`` is the command ``symmetry``."""

from __future__ import annotations

from symmetry.cli import main

if __name__ == "__main__":
    main()
