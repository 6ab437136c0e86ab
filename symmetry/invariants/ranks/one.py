"""Why nothing is said of ranks where there is one."""

ONE_RANK = "it has one rank: --ranks 2 runs a script on two, and torchrun a function"
