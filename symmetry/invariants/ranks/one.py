"""Why nothing is said of ranks where there is one, or where a function runs on several."""

from symmetry.base.ranks import launcher, world
from symmetry.training.rank_runs import RankRuns

ONE_RANK = f"it has one rank: --ranks 2 runs a script on two, and {launcher().name} a function"
_ONLY_SCRIPTS = "only a script is run on one rank and on several, to be compared"


def why_no_runs(runs: RankRuns | None = None) -> str:
    """Say why there are no runs of several ranks to compare with those of one."""
    if runs is not None:
        return runs.why_not_observed
    return ONE_RANK if world() == 1 else _ONLY_SCRIPTS
