"""The processes that train together, of which each is a rank; no PyTorch is imported."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

_LAUNCHED = "TORCHELASTIC_RUN_ID"
# In the environment of a rank that this package has started: the file by which ranks find each
# other, and the seconds that one of them may wait for the others.
STORE, PATIENCE = "SYMMETRY_STORE", "SYMMETRY_PATIENCE"
_chosen = ContextVar("ranks", default=1)


def world() -> int:
    """Return how many processes train together; 1 without ``torchrun``."""
    return int(os.environ["WORLD_SIZE"]) if _LAUNCHED in os.environ else 1


def rank() -> int:
    """Return which of them this is, from 0."""
    return int(os.environ["RANK"]) if world() > 1 else 0


def variables(rank: int, world: int) -> Mapping[str, str]:
    """Return the environment that ``torchrun`` gives to a rank."""
    return {
        **dict.fromkeys(("RANK", "LOCAL_RANK", "ROLE_RANK"), str(rank)),
        **dict.fromkeys(("WORLD_SIZE", "LOCAL_WORLD_SIZE", "ROLE_WORLD_SIZE"), str(world)),
        "GROUP_RANK": "0",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": "29500",
        _LAUNCHED: "symmetry",
    }


def forget() -> None:
    """Go on as a process that ``torchrun`` has not started."""
    for name in variables(0, 1):
        os.environ.pop(name, None)


def chosen() -> int:
    """Return on how many ranks the scripts run that are named now."""
    return _chosen.get()


@contextmanager
def choosing(number: int) -> Iterator[None]:
    """Choose the number of ranks for the scripts that are named while the block runs."""
    token = _chosen.set(number)
    try:
        yield
    finally:
        _chosen.reset(token)
