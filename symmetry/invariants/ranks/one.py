"""Why nothing is said of ranks where there is one."""

from symmetry.base.ranks import launcher

ONE_RANK = f"it has one rank: --ranks 2 runs a script on two, and {launcher().name} a function"
