"""The plain witness of a check: one process in which the script runs as its user starts it.

    witness = Witness(source)
    witness.begin()             it runs beside the first runs of the check
    witness.first_updates()     digests of what it held behind its first updates; then it has ended
    witness.whole()             a run to the end, or as long as the time allows

Whatever speaks of failing asks it: a script that fails at the same line in it fails by itself. A
run of the check that does not have its digests is disturbed by the check.

Importing a framework takes longest. So the first process is a fork of the check, if that has done
so before any script ran; it finds the package as if it were still to be imported. All others begin
with nothing.
"""

from __future__ import annotations

import os
import pickle
import select
import signal
import subprocess
import sys
import time
from contextlib import nullcontext, suppress
from dataclasses import replace

from symmetry.base import fork, ranks
from symmetry.base.calls import running
from symmetry.base.errors import Failure
from symmetry.base.processes import ending, start, waited
from symmetry.base.randomness import generators
from symmetry.base.randomness.held_seeds import Numbers
from symmetry.base.updates import PlainRun, UpdateLog, first_difference, rounds
from symmetry.sandbox import plain_run
from symmetry.sandbox.plain_run import PlainOrder, Recorder, Within, run_here, shadowed
from symmetry.sandbox.source import Source

_SECONDS = 60.0  # that it may take, without those in which other processes have the processor
_BETWEEN = 0.05  # seconds between two looks at the process
# Runs with a clock that leaps: one that takes the quicker of two ways takes the same one in all of
# them, and in those before, once in 32.
_CLOCKS = 4
_UNKNOWN = PlainRun(is_whole=False)


class Witness:
    """Runs a script plainly, in processes of its own.

    Parameters
    ----------
    source
        The script.
    within
        Returns a context that gives it what the machine lacks.
    recorder
        Records its first updates; None for a framework without one.
    moved
        Records those of a run in which each operation rounds in another way; None without one.
    seed
        The seed of all random numbers.
    framework
        The package that its first updates are recorded of, if that is imported here before any
        script runs: it takes long.

    Attributes
    ----------
    rounded
        Where a run of the check differs from the plain one by rounding; empty if nowhere.
    """

    def __init__(
        self,
        source: Source,
        within: Within = nullcontext,
        recorder: Recorder | None = None,
        seed: int = 0,
        *,
        moved: Recorder | None = None,
        framework: str = "",
    ) -> None:
        self._source, self._within, self._recorder, self._seed = source, within, recorder, seed
        self._moved, self._framework, self.rounded = moved, framework, ""
        self._first: _Process | None = None
        self._whole: PlainRun | None = None

    def begin(self) -> None:
        """Let it run up to its first updates, beside this process."""
        if self._first is None and self._recorder is not None and self._can_run:
            order = PlainOrder(self._source, self._within, self._recorder, self._seed)
            self._first = _Process(replace(order, ready=self._ready))

    def first_updates(self) -> PlainRun | None:
        """Wait for the run up to the first updates; None if it was never begun."""
        return None if self._first is None else self._first.result()

    def again(
        self,
        numbers: Numbers | None = None,
        hash_seed: str = "",
        *,
        leaps: int | None = None,
        moved: bool = False,
    ) -> PlainRun:
        """Return another run up to the first updates; its lines seed with these numbers.

        Texts have other hashes with a ``hash_seed``, its clock leaps with a seed for that, and
        each operation rounds in another way if it is ``moved``.
        """
        recorder = self._moved if moved else self._recorder
        order = PlainOrder(self._source, self._within, recorder, self._seed, numbers, leaps)
        return _Process(order, hash_seed=hash_seed).result()

    def disturbance(self, log: UpdateLog | None, numbers: Numbers) -> str:
        """Say where a run of a check parts from the plain one; nothing if it does not.

        The ``numbers`` are those that the lines of its script seed with. A script that is another
        one in each process, or with another clock, has no plain run to compare with. A difference
        by rounding is no disturbance: see ``rounded``.
        """
        plain = self.first_updates()
        if plain is None or log is None:
            return ""
        parts = first_difference(plain.updates, log.updates)
        if parts is None or self._goes_by_clock(plain, parts[0]):
            return ""
        for leaps in (None, *range(_CLOCKS)):
            other = self.again(numbers, leaps=leaps)  # the first one has its own time, say
            if (at := first_difference(other.updates, log.updates)) is None:
                return ""
            own = first_difference(plain.updates, other.updates)
            if own is not None and own[0] <= at[0]:
                return ""
            if leaps is None:
                number, array = at
                if self._rounds(other, log, numbers):
                    self.rounded = f"{array} differs by rounding in update {number} of a plain run"
                    return ""
        return (
            f"the check disturbs the script: {array} is not the same in update {number} of a "
            "plain run"
        )

    def _goes_by_clock(self, plain: PlainRun, update: int) -> bool:
        """Return whether a plain run is another one by some update with another clock."""
        own = first_difference(plain.updates, self.again(leaps=0).updates)
        return own is not None and own[0] <= update

    def _rounds(self, plain: PlainRun, log: UpdateLog, numbers: Numbers) -> bool:
        """Return whether a run differs from a plain one as plain ones that round otherwise do."""
        if self._moved is None:
            return False
        return rounds(plain.updates, log.updates, self.again(numbers, moved=True).updates)

    @property
    def failing(self) -> Failure | None:
        """The failure in which each plain run ends before its first updates; None without one."""
        first = self.first_updates()
        if first is None or first.failure is None or first.updates:
            return None
        return first.failure if first.failure.repeats(self.again().failure) else None

    def whole(self, seconds: float = _SECONDS) -> PlainRun:
        """Return a run to the script's end, or as long as the time allows, once.

        A rank of several would wait for the others. A function runs in this process, and to its
        end. A fork of this process does not decide whether a script fails by itself.
        """
        first = self.first_updates()
        if self._whole is None and first is not None and first.is_whole:
            is_fork = self._first is not None and self._first.is_fork
            self._whole = None if is_fork and first.failure else first
        if self._whole is None:
            self._whole = self._run(seconds)
        return self._whole

    def close(self) -> None:
        """End what still runs."""
        if self._first is not None:
            self._first.close()

    @property
    def _ready(self) -> str:
        """The framework, if a fork of this process has it as a script finds it; else nothing.

        So it is until a script has run here, unless a file of the user's has the name of a module.
        """
        if not fork.POSSIBLE or running.run or self._framework not in sys.modules:
            return ""
        return "" if fork.has_pool() or any(shadowed(self._source)) else self._framework

    @property
    def _can_run(self) -> bool:
        return ranks.world() == 1 and not callable(self._source.script)

    def _run(self, seconds: float) -> PlainRun:
        order = PlainOrder(self._source, self._within, seed=self._seed)
        if callable(self._source.script):
            found: list[PlainRun | None] = []
            with generators.kept(generators.shared()):
                run_here(order, found.append)
            return found[0] or _UNKNOWN
        return _Process(order, seconds).result() if self._can_run else _UNKNOWN


class _Process:
    """A process of a plain run; its pipes are closed with it, so that this one can be forked."""

    def __init__(self, order: PlainOrder, seconds: float = _SECONDS, hash_seed: str = "") -> None:
        self._order, self._seconds, self._hash_seed = order, seconds, hash_seed
        self._found: PlainRun | None = None
        self._begin()

    def _begin(self) -> None:
        self._began = time.monotonic()
        self._process = self._started()
        assert self._process.stdin
        with suppress(BrokenPipeError):
            pickle.dump(self._order, self._process.stdin)
            self._process.stdin.flush()

    def _started(self) -> subprocess.Popen[bytes] | fork.Apart:
        """Return a fork of this process if that is ready, else a process that imports all anew."""
        if self._order.ready:
            with suppress(fork.ForkError):
                return fork.Apart(plain_run.main)
            self._order = replace(self._order, ready="")
        variables = {"PYTHONHASHSEED": self._hash_seed} if self._hash_seed else {}
        environment = os.environ | variables
        return start("symmetry.sandbox.plain_run", stderr=subprocess.DEVNULL, env=environment)

    @property
    def is_fork(self) -> bool:
        """Whether it is a fork of this process."""
        return bool(self._order.ready)

    def result(self) -> PlainRun:
        """Wait for its answer, as long as its time allows."""
        if self._found is None:
            found = self._answer()
            self.close()
            if found is None:
                self._order = replace(self._order, ready="")
                self._begin()
                return self.result()
            self._found = found
        return self._found

    def close(self) -> None:
        """End the process, and those that the script has started in its group."""
        if hasattr(os, "killpg"):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(BrokenPipeError):
                if pipe is not None:
                    pipe.close()

    def _answer(self) -> PlainRun | None:
        """Read one answer, not the pipe to its end: the script's processes may hold that open."""
        pipe = self._process.stdout
        assert pipe
        while not select.select([pipe], [], [], _BETWEEN)[0]:
            took = time.monotonic() - self._began - waited(self._process.pid)
            if took > self._seconds:
                return _UNKNOWN
            if self._process.poll() is not None and not select.select([pipe], [], [], 0)[0]:
                break
        else:
            with suppress(EOFError):
                run: PlainRun | None = pickle.load(pipe)
                return run
        return PlainRun(is_whole=False, killed=ending(self._process.wait()))
