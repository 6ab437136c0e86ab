"""A script on its ranks as its user starts it: nothing is shortened, observed or promoted.

Example: a script that sums its losses over all ranks, on the first one only. That rank waits for
ever, or takes the gradients of another one for losses, and the script goes on. So the collectives
that ranks call are compared as well.

All ranks write into one mirror: one loads what another has saved.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial, wraps
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import distributed

from symmetry.base import ranks
from symmetry.base.errors import Failure, TrainingError
from symmetry.base.raised import silenced
from symmetry.base.randomness import generators
from symmetry.base.randomness.unseeded import giving_seeds
from symmetry.base.user_code import spell
from symmetry.observe.source_line import SourceLine, users_line
from symmetry.sandbox.folder_mirror import FolderMirror
from symmetry.sandbox.mirror_pool import MirrorPool
from symmetry.sandbox.sandbox import Sandbox, Uninterrupted
from symmetry.sandbox.source import Source
from symmetry.torch.cuda.refusing import why_of_devices
from symmetry.torch.script.host import Host
from symmetry.torch.script.ranks.launch import RanksError, Unfinished, launch

_PATIENCE = 10.0  # seconds in which no rank computes, until they wait for ever
_LONGER = 600.0  # seconds until gloo gives up: a rank may compute meanwhile, and the others wait
_LIMIT = 40.0  # CPU seconds that a rank may take
_COLLECTIVES = (
    "all_reduce broadcast reduce all_gather all_gather_into_tensor gather scatter reduce_scatter "
    "reduce_scatter_tensor all_to_all all_to_all_single barrier all_gather_object gather_object "
    "broadcast_object_list scatter_object_list"
)
_TORCH = str(Path(torch.__file__).parent)


class PlainRanks(NamedTuple):
    """The plain runs of all ranks."""

    failure: Failure | None = None  # of one of them, with the lines of the others
    has_group: bool = True  # whether they have talked to each other, as far as they came
    on_cuda: bool = False  # whether the CPU was in place of CUDA


class _Collective(NamedTuple):
    """A call that all ranks have to make."""

    name: str
    line: SourceLine


class _PlainRank(NamedTuple):
    """The plain run of one rank, to its end."""

    has_group: bool
    on_cuda: bool
    collectives: Sequence[_Collective]


class _NoGroupError(TrainingError):
    """A script has ended on a rank, and has not talked to the others."""


def run_plainly_on_ranks(source: Source) -> PlainRanks:
    """Run a script on all of its ranks to its end, or as long as the time allows."""
    pool = _SharedPool(source)
    works = [partial(_plainly, source, pool)] * source.ranks
    longer = {ranks.PATIENCE: str(_LONGER)}
    try:
        found = launch(source.name, works, _PATIENCE, limit=_LIMIT, variables=longer)
    except Unfinished:
        return PlainRanks()
    except RanksError as error:
        return PlainRanks(error.failure)
    finally:
        pool.close()
    has_group = any(rank.has_group for rank in found)
    on_cuda = any(rank.on_cuda for rank in found)
    return PlainRanks(_unequal([rank.collectives for rank in found]), has_group, on_cuda)


def _unequal(called: Sequence[Sequence[_Collective]]) -> Failure | None:
    """Return the first collective that is not the one of the other ranks; None if all agree."""
    world = len(called)
    for calls in zip_longest(*called):
        names = {None if call is None else call.name for call in calls}
        if len(names) > 1:
            number = next(n for n, call in enumerate(calls) if call is not None)
            mine = calls[number]
            others = (f"rank {n} {_at(call)}" for n, call in enumerate(calls) if n != number)
            text = f"calls {mine.name} on rank {number} of {world}; {'; '.join(others)}"
            return Failure("RanksError", text, mine.line.file, mine.line.line)
    return None


def _at(call: _Collective | None) -> str:
    if call is None:
        return "has ended without it"
    return f"calls {call.name} in its place at {spell(call.line.file, call.line.line)}"


def _plainly(source: Source, pool: MirrorPool) -> _PlainRank:
    """Run the script in this process, which is a rank."""
    torch.set_num_threads(1)
    generators.seed_all(0)
    host = Host(source)
    calls: list[_Collective] = []
    for name in _COLLECTIVES.split():
        if hasattr(distributed, name):
            setattr(distributed, name, _noting(name, getattr(distributed, name), calls))

    def run() -> None:
        calls.clear()
        watching = host.entered
        sandbox = Sandbox(host.source, pool, watching, stack=Uninterrupted, lacking=host.refusal)
        with silenced(), giving_seeds():
            sandbox.resume()
        if not distributed.is_initialized():  # it may only use them on GPUs
            raise _NoGroupError("it does not use its ranks")

    try:
        host.adapting(run)
    except _NoGroupError:
        pass
    except TrainingError as error:
        how = host.substitution
        if error.failure is not None and how is not None and how.device:
            error.failure = None if why_of_devices(error.failure, "") else error.failure
        raise
    how = host.substitution
    return _PlainRank(distributed.is_initialized(), bool(how and how.device), calls)


def _noting(name: str, plain: Callable[..., Any], calls: list[_Collective]) -> Callable[..., Any]:
    """Return a collective whose calls are noted, but for PyTorch's own and those of some ranks."""

    @wraps(plain)
    def noted(*args: Any, **kwargs: Any) -> Any:
        own = sys._getframe(1).f_code.co_filename.startswith(_TORCH)
        groups = [each for each in (*args, *kwargs.values()) if _is_group(each)]
        if not own and all(each is distributed.group.WORLD for each in groups):
            calls.append(_Collective(name, users_line()))
        return plain(*args, **kwargs)

    return noted


def _is_group(value: Any) -> bool:
    return isinstance(value, distributed.ProcessGroup)


class _SharedPool(MirrorPool):
    """One mirror, which forks of this process share."""

    def __init__(self, source: Source) -> None:
        super().__init__(*source.homes)
        self._mirror = super().take()

    def take(self) -> FolderMirror:
        """Return the mirror, as the other ranks have left it."""
        return self._mirror

    def give(self, mirror: FolderMirror) -> None:
        """Leave the files to the other ranks."""

    def close(self) -> None:
        """Remove the mirror."""
        self._mirror.remove()
        self.remove()
