"""The check of one target as far as its process has reported it."""

from __future__ import annotations

import base64
import pickle
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from symmetry.base.devices import Substitution

if TYPE_CHECKING:
    from symmetry.checker.verdict import Checked, Kind, Verdict

_pickled = pickle.dumps  # code under test may replace it


def packed(record: object) -> str:
    """Return a record as text."""
    return base64.b64encode(_pickled(record)).decode()


def unpacked(text: str) -> Any:
    """Return the record of a text."""
    return pickle.loads(base64.b64decode(text))


@dataclass(frozen=True)
class Ending:
    """The end of a process that has not reported its exit status."""

    why: str  # why it ended; if it reached a limit, "within" and the limit
    # Whether it reached a limit of the user. The target has not failed then.
    limited: bool = False
    # Whether the check itself failed. The target has not failed then, either.
    own: bool = False
    # Whether it has used the CPU seconds of ``--budget``, which is no failure of the check either.
    spent: bool = False

    @property
    def kind(self) -> Kind:
        """The kind of the verdict on the call that was running."""
        return "not finished" if self.limited or self.own else "error"

    @property
    def message(self) -> str:
        """The verdict on the call that was running."""
        return self.during("")

    def during(self, stage: str) -> str:
        """Return the verdict on a stage that comes before any invariant."""
        at = f" during {stage}" if stage else ""
        if self.own:
            return f"stopped by an error of symmetry itself{at}: {self.why}"
        return f"{'not finished ' if self.limited else ''}{self.why}{at}"

    @property
    def of_the_rest(self) -> str:
        """The verdict on the call that would have been next."""
        return f"not run {self.why}" if self.limited else f"not run: {self.message}"


@dataclass
class Account:
    """The messages of a process about its target; records are unpacked only when needed."""

    target: str = ""  # the name of the target that is loaded or checked; empty before the first one
    planned: str = ""  # the check before it runs: each of its verdicts says that it was not run
    device: str = ""  # in place of which the target runs on the CPU; empty if it runs as it is
    running: str = ""  # the verdict on what is being run, if that ends the process
    examined: list[str] = field(default_factory=list)  # verdicts so far
    # Those that were shown, as they were: an expected failure, for example.
    shown: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)  # when the check was planned

    def hear(self, kind: str, *values: str) -> None:
        """Take a message of the process, if it is about its target."""
        if kind == "target":
            self.target, self.running = values[0], ""
        elif kind == "planned":
            self.planned, self.began = values[0], time.monotonic()
        elif kind == "attempt":
            self.running = values[0]
        elif kind == "examined":
            self.examined.append(values[0])
            self.running = ""
        elif kind == "verdict":
            self.shown.append(values[0])

    def verdicts(self) -> tuple[Verdict, ...]:
        """Return the verdicts so far."""
        return tuple(map(unpacked, self.examined))

    def doing(self) -> str:
        """Name what was being run, or the target if nothing was."""
        return unpacked(self.running).invariant if self.running else self.target

    def ended(self, end: Ending, expected: Mapping[str, str]) -> tuple[Checked, int] | None:
        """Return the whole check, and how many of its verdicts were shown; None without a plan.

        The process has ended early: that is the verdict on what was running. The rest was not run.
        """
        if not self.planned:
            return None
        planned: Checked = unpacked(self.planned)
        shown = {_key(verdict): verdict for verdict in map(unpacked, self.shown)}
        found = {_key(verdict): verdict for verdict in self.verdicts()} | shown
        first = self._first_missing(planned, found)
        after = [verdict for verdict in planned.verdicts[:first] if _key(verdict) in found]
        verdicts = [found[_key(verdict)] for verdict in after]
        verdicts += self._not_run(planned.verdicts[first:], end)
        new = [verdict for verdict in verdicts if _key(verdict) not in shown]
        settled = _settled(new, expected)
        late = (end.message,) if first == len(planned.verdicts) else ()
        remarks = (*planned.remarks, *late)
        whole = (*shown.values(), *settled)
        complete = end.kind == "error"
        ended = replace(planned, verdicts=whole, remarks=remarks, complete=complete)
        return replace(ended, **self._facts()), len(shown)

    def _facts(self) -> dict[str, Any]:
        """Return how the target runs, and the seconds since the check was planned."""
        from symmetry.training.run_facts import RunFacts

        seconds = time.monotonic() - self.began
        return {"facts": RunFacts(self.substitution), "seconds": seconds}

    @property
    def substitution(self) -> Substitution | None:
        """How the target runs, as far as it is known."""
        return Substitution(self.device) if self.device else None

    def cut_short(self, cut: str, why: str) -> Checked | None:
        """Return the check as far as it came; None without a plan.

        ``cut`` says how far that is, and ``why`` is the message of the verdicts to come.
        """
        if not self.planned:
            return None
        from symmetry.checker.ignored import IgnoredLines
        from symmetry.checker.run import notes_of

        planned: Checked = unpacked(self.planned)
        found = {_key(v): v for v in (*self.verdicts(), *map(unpacked, self.shown))}
        rest = (replace(v, kind="not reached", message=why) for v in planned.verdicts)
        verdicts = tuple(found.get(_key(verdict), verdict) for verdict in rest)
        notes = tuple(notes_of(verdicts, IgnoredLines(planned.ignored)))
        complete = len(found) == len(planned.verdicts)  # only an explanation was under way
        return replace(
            planned,
            verdicts=verdicts,
            notes=notes,
            complete=complete,
            cut="" if complete else cut,
            **self._facts(),
        )

    def _first_missing(self, planned: Checked, found: Mapping[tuple[str, str], Verdict]) -> int:
        """Return the index of the verdict that was running, or of the one after the last."""
        keys = [_key(verdict) for verdict in planned.verdicts]
        if self.running and (running := _key(unpacked(self.running))) in keys:
            return keys.index(running)
        return max((index + 1 for index, key in enumerate(keys) if key in found), default=0)

    def _not_run(self, planned: tuple[Verdict, ...], end: Ending) -> list[Verdict]:
        """Return how the first of these ended, and for the others that they were not run."""
        if not planned:
            return []
        first, *rest = (replace(verdict, kind="not finished") for verdict in planned)
        first = replace(first, kind=end.kind)
        running: Verdict = unpacked(self.running) if self.running else first
        if _key(running) == _key(first):
            ended = replace(running, about=first.about, kind=end.kind, steps=first.steps)
            ended = replace(ended, message=end.message)
        else:  # what comes before any invariant: first steps, for example
            ended = replace(first, message=end.during(running.invariant))
        return [ended, *(replace(verdict, message=end.of_the_rest) for verdict in rest)]


def _key(verdict: Verdict) -> tuple[str, str]:
    return verdict.invariant, verdict.dtype


def _settled(verdicts: list[Verdict], expected: Mapping[str, str]) -> list[Verdict]:
    """Apply the expectations of failures: no explanation tells any more what else is violated."""
    from symmetry.checker.verdict import settled

    groups = groupby(verdicts, attrgetter("invariant"))
    reasons = {name: {"": reason} for name, reason in expected.items()}
    return [v for name, group in groups for v in settled([*group], reasons.get(name, {}))]
