"""Where a script runs: as it is, as one rank, or on the CPU in place of CUDA.

It runs as it is first. If it raises for want of a GPU, or of ranks, it begins anew with what it
lacks; so a script that chooses its device stays on the one that there is.
"""

from __future__ import annotations

import linecache
import logging
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from copy import copy
from dataclasses import replace
from functools import cached_property, partial, wraps
from pathlib import Path
from typing import TypeVar

import torch

from symmetry.base import ranks
from symmetry.base.calls import running
from symmetry.base.devices import AUTO, CUDA_ON_CPU, Substitution
from symmetry.base.errors import Failure, SymmetryError, TrainingError
from symmetry.base.patches import Patch, patched
from symmetry.base.raised import line_of
from symmetry.base.randomness.held_seeds import HeldSeeds
from symmetry.base.updates import PlainRun, UpdateLog, first_difference
from symmetry.observe.source_line import NOWHERE, SourceLine
from symmetry.sandbox.folder_mirror import WrittenFiles
from symmetry.sandbox.mirror_pool import MirrorPool
from symmetry.sandbox.source import Source
from symmetry.sandbox.witness import Witness
from symmetry.torch.cuda.branches import has_branches
from symmetry.torch.cuda.cuda_on_cpu import CudaOnCpu
from symmetry.torch.cuda.refusing import is_of_the_driver, refusal, why_of_devices
from symmetry.torch.late_compiler import delay_compiler
from symmetry.torch.script.process_group import ProcessGroup
from symmetry.torch.script.updates import record_plainly, with_group

_OF_RANKS = re.compile(r"\b(?:LOCAL_|GROUP_)?(?:RANK|WORLD_SIZE)\b|MASTER_(?:ADDR|PORT)")
_OF_CUDA = re.compile(r"cuda|nccl|nvidia|\bgpus?\b", re.IGNORECASE)
_ONE_RANK = {
    **dict.fromkeys(("RANK", "LOCAL_RANK", "GROUP_RANK"), "0"),
    **dict.fromkeys(("WORLD_SIZE", "LOCAL_WORLD_SIZE"), "1"),
    "MASTER_ADDR": "127.0.0.1",
    "MASTER_PORT": "29500",
}
# It writes a traceback for each operation that a mode makes of other dtypes than it expects.
_META = logging.getLogger("torch._subclasses.fake_tensor")
Outcome = TypeVar("Outcome")


class Host:
    """A script, and where all its runs happen.

    Parameters
    ----------
    source
        The script. Its ``device`` says whether it runs on the CPU in place of CUDA: always, never,
        or if it raises without.

    Attributes
    ----------
    source
        The script, with the variables of its environment.
    mirrors
        Where runs take a mirror of its folders from, and give it back to.
    in_fork
        Whether another process repeats what fails here.
    seed
        The seed of the plain witness.
    seeds
        The numbers that it seeds generators with, in all its runs.
    compares
        Whether its first updates are compared with those of runs here.
    """

    def __init__(self, source: Source) -> None:
        delay_compiler()
        self.source, self.mirrors = source, MirrorPool(*source.homes)
        self.in_fork, self.seed, self.compares = False, 0, False
        self.seeds = HeldSeeds()
        self._witness: tuple[tuple[bool, Source], Witness] | None = None
        self._group = ProcessGroup()
        self._cuda: CudaOnCpu | None = None
        if source.device != AUTO and torch.cuda.is_available():
            raise SymmetryError(
                f"--device {source.device}: PyTorch has a GPU here already: set "
                "CUDA_VISIBLE_DEVICES to nothing before it is imported"
            )
        if source.device == CUDA_ON_CPU:
            self._map_cuda()
        self._depending: set[str] = set()  # files of the user's that depend on a GPU

    @property
    def substitution(self) -> Substitution | None:
        """How it runs, where the machine lacks something; None if it runs as it is."""
        mapped = () if self._cuda is None else tuple(self._cuda.uses)
        device = "" if self._cuda is None else "CUDA"
        branches = self._can_map_cuda and any(map(has_branches, self._depending))
        if not (device or self._group.alone or self.source.ranks > 1 or branches):
            return None
        return Substitution(device, mapped, self._group.alone, self.source.ranks, branches)

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Give the script what it lacks here while the block runs."""
        with ExitStack() as stack:
            if self._cuda is not None:
                stack.enter_context(self._cuda.entered())
            elif self._can_map_cuda:
                stack.enter_context(patched(self._questions()))
            stack.enter_context(patched([*self._group.patches(), (_META, "disabled", True)]))
            yield

    def _questions(self) -> Iterator[Patch]:
        """Yield the functions that say whether there is a GPU: they note who calls them."""
        for name in ("is_available", "device_count"):
            yield torch.cuda, name, self._noting(getattr(torch.cuda, name))

    def _noting(self, plain: Callable[[], Outcome]) -> Callable[[], Outcome]:
        @wraps(plain)
        def asked() -> Outcome:
            self._depending.add(sys._getframe(1).f_code.co_filename)
            return plain()

        return asked

    def leave_runs(self) -> None:
        """Leave all runs, and their files, to the process that this one is a fork of."""
        self.in_fork = True
        self.mirrors.leave()

    def resumed(self, arguments: tuple[str, ...], files: WrittenFiles) -> Host:
        """Return where the script goes on with other arguments, from files that it has written."""
        other = copy(self)
        other.seeds = HeldSeeds()
        other.source = replace(self.source, arguments=arguments)
        other.mirrors = self.mirrors.filled(files)
        return other

    def close(self) -> None:
        """Remove what the runs have used together.

        Raises
        ------
        SymmetryError
            If a file of the user's has changed meanwhile.
        """
        self._group.close()
        if self._witness is not None and not self.in_fork:
            self._witness[1].close()
        self.mirrors.remove()
        if changed := self.changed():
            raise SymmetryError(f"{self.source.name}: {changed}")

    def changed(self) -> str:
        """Say which of the user's files have changed since the first run; nothing if none has.

        Beside a function the tests of other functions run, and write what they like.
        """
        return "" if callable(self.source.script) else self.mirrors.changed()

    def adapting(self, run: Callable[[], Outcome]) -> Outcome:
        """Run the script; anew with what it lacks, if it raises for want of it.

        Raises
        ------
        TrainingError
            If it raises for another reason.
        """
        try:
            return run()
        except TrainingError as error:
            sure = self.lacks(error)
            before = self.source, self._cuda
            if not self._adapt(error):
                raise
            if self.compares:
                self.witness.begin()
            try:
                return self.adapting(run)
            except TrainingError:
                if sure:
                    raise
                self.source, self._cuda = before
                running.device = "CUDA" * (self._cuda is not None)
                raise error from error.__cause__

    def lacks(self, error: TrainingError) -> bool:
        """Return whether a script raises for want of a GPU or of ranks, and can have these."""
        text = _text(error)
        ranks_too = self._can_be_alone and _OF_RANKS.search(text)
        return bool(ranks_too or (self._can_map_cuda and _OF_CUDA.search(text)))

    def refusal(self, error: Exception) -> TrainingError | None:
        """Return why a script that has raised this cannot be checked here; None if it can."""
        return refusal(error, on_cpu=self._cuda is not None)

    @property
    def witness(self) -> Witness:
        """The plain runs of the script in processes of their own, with what it lacks here."""
        key = self._cuda is not None, self.source
        if self._witness is None or self._witness[0] != key:
            if self._witness is not None:
                self._witness[1].close()
            within = with_group if self._cuda is None else _with_cuda
            moved = partial(record_plainly, moved=True)
            witness = Witness(
                *(self.source, within, record_plainly, self.seed), moved=moved, framework="torch"
            )
            self._witness = key, witness
        return self._witness[1]

    @property
    def failing_plainly(self) -> Failure | None:
        """The failure in which each plain run ends before its first updates; None without one."""
        return self.witness.failing if self.compares and self._cuda is None else None

    def new_log(self, seed: int) -> UpdateLog | None:
        """Return where a run adds its first updates; None if there is nothing to compare."""
        return UpdateLog() if self.compares and seed == self.seed else None

    def disturbance(self, log: UpdateLog | None) -> str:
        """Say where a run here parts from the plain one; nothing if it does not."""
        return self.witness.disturbance(log, self.seeds.numbers) if self.compares else ""

    @property
    def hash_order(self) -> SourceLine:
        """The first line that makes a set, if plain runs only differ by the hashes of texts."""
        line = self.source.sets_at
        first = self.witness.first_updates() if line and self.compares else None
        if first is None:
            return NOWHERE
        own = os.environ.get("PYTHONHASHSEED", "")
        seed = own if own.isdecimal() else "1"
        other = self.witness.again(hash_seed="2" if seed == "1" else "1")
        if first_difference(first.updates, other.updates) is None:
            return NOWHERE
        plain = first if seed == own else self.witness.again(hash_seed=seed)
        if first_difference(plain.updates, other.updates) is None:
            return NOWHERE
        same = all(  # and it is no other one with another clock
            first_difference(plain.updates, again.updates) is None
            for again in (self.witness.again(hash_seed=seed, leaps=leaps) for leaps in (None, 0, 1))
        )
        return SourceLine(str(self.source.script), line) if same else NOWHERE

    def plain_run(self) -> PlainRun:
        """Run the script in a process of its own, as its user does, with what it lacks here.

        A failure on the CPU in place of CUDA counts if it is plainly not about devices, or if the
        script fails at the same line with ``--device cpu``.
        """
        mapped = self.witness.whole()
        if self._cuda is None or (failed := mapped.failure) is None:
            return mapped
        file = self.source.folder / (failed.file or "")
        line = linecache.getline(str(file), failed.line or 0)
        why = why_of_devices(failed, line)
        on_cpu = Witness(self.source, with_group, seed=self.seed)
        if why and (is_of_the_driver(failed, line) or not failed.repeats(on_cpu.whole().failure)):
            return PlainRun(why_none=why)
        return mapped

    @property
    def _can_be_alone(self) -> bool:
        return ranks.world() == 1 and not self.source.variables

    @property
    def _can_map_cuda(self) -> bool:
        there = self._cuda is not None or torch.cuda.is_available()
        return self.source.device == AUTO and not there

    @property
    def _can_see_more_devices(self) -> bool:
        """Whether one rank sees one device, and could see those of all ranks."""
        sees_one = self._cuda is not None and self.source.variables == _ONE_RANK
        return sees_one and self.source.ranks > 1

    def _adapt(self, error: TrainingError) -> bool:
        """Give the script what it lacks by its error, or else by its text; False without such."""
        text = _text(error)
        for found in (text, self._source_text):
            if self._can_be_alone and _OF_RANKS.search(found):
                self.source = replace(self.source, variables=_ONE_RANK)
                return True
            if self._can_map_cuda and _OF_CUDA.search(found):
                self._map_cuda()
                return True
            if self._can_see_more_devices and _OF_CUDA.search(found):
                devices = {"LOCAL_WORLD_SIZE": str(self.source.ranks)}
                self.source = replace(self.source, variables={**_ONE_RANK, **devices})
                return True
        return False

    def _map_cuda(self) -> None:
        self._cuda = CudaOnCpu()
        running.device = "CUDA"

    @cached_property
    def _source_text(self) -> str:
        """The text of the script: it may have ended since there is no GPU, or no rank."""
        file = self.source.script
        return file.read_text(errors="replace") if isinstance(file, Path) and file.is_file() else ""


@contextmanager
def _with_cuda() -> Iterator[None]:
    """Give a script the CPU in place of CUDA, and a process group of one rank."""
    with CudaOnCpu().entered(), patched(ProcessGroup().patches()):
        yield


def _text(error: TrainingError) -> str:
    """Return an error and the user's line that raised it: an assertion need not have a text."""
    cause = error.__cause__
    line = None if cause is None else line_of(cause, whole=True)
    return f"{error} {linecache.getline(*line) if line else ''}"
