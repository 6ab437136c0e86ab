"""The processes that train together, of which each is a rank; no framework is imported."""

import os
from collections.abc import Mapping

from symmetry.base.libraries import Launcher, registered

# In the environment of a rank that this package has started: the file by which ranks find each
# other, and the seconds that one of them may wait for the others.
STORE, PATIENCE = "SYMMETRY_STORE", "SYMMETRY_PATIENCE"


def launcher() -> Launcher:
    """Return the launcher of this process, or else the one that there is."""
    launchers = [each.launcher for each in registered() if each.launcher is not None]
    return next((each for each in launchers if each.marker in os.environ), launchers[0])


def world() -> int:
    """Return how many processes train together; 1 without a launcher."""
    return int(os.environ["WORLD_SIZE"]) if launcher().marker in os.environ else 1


def rank() -> int:
    """Return which of them this is, from 0."""
    return int(os.environ["RANK"]) if world() > 1 else 0


def variables(rank: int, world: int) -> Mapping[str, str]:
    """Return the environment that a launcher gives to a rank."""
    return {
        **dict.fromkeys(("RANK", "LOCAL_RANK", "ROLE_RANK"), str(rank)),
        **dict.fromkeys(("WORLD_SIZE", "LOCAL_WORLD_SIZE", "ROLE_WORLD_SIZE"), str(world)),
        "GROUP_RANK": "0",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": "29500",
        launcher().marker: "symmetry",
        "ACCELERATE_USE_CPU": "true",  # or accelerate takes a rank without a GPU for all there is
    }


def forget() -> None:
    """Go on as a process that no launcher has started."""
    for name in variables(0, 1):
        os.environ.pop(name, None)
