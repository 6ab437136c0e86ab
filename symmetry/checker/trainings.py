"""Checking a PyTorch training: its invariants in the precision it is written for, and promoted."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from symmetry.base.errors import SymmetryError, TargetError
from symmetry.base.memory import give_back, refuse_beyond_memory
from symmetry.base.raised import in_one_line
from symmetry.checker.progress import Progress
from symmetry.checker.steps import Examiner, judge
from symmetry.checker.verdict import Verdict
from symmetry.invariants.catalogue import Invariant
from symmetry.trainings.start import TrainingStart
from symmetry.trainings.training import TrainingTarget
from symmetry.units.words import count

if TYPE_CHECKING:
    from symmetry.checker.plan import Plan

_PROMOTED = 10  # copies of the state that little can be judged without in float64
# Where one of these is violated nothing else is judged: it would mean nothing, and ranks that see
# different numbers would wait for each other.
_FIRST = {
    "training/replicas": "its ranks do not hold the same parameters",
    "symmetry/repeatable": "the training does not repeat itself",
}
_NOISE = {
    **dict.fromkeys(("bernoulli", "native_dropout"), "dropout"),
    **dict.fromkeys(("normal", "randn", "randn_like"), "normal noise"),
    **dict.fromkeys(("uniform", "rand", "rand_like"), "uniform noise"),
}


class TrainingExaminer(Examiner):
    """The settings of a training, and what went wrong in them."""

    _why_none = ""  # why there are no units
    _unjudged = ""  # why nothing else is judged
    _told = False  # whether it was said why a plain run does not work

    def __init__(self, plan: Plan, progress: Progress) -> None:
        assert isinstance(plan.target, TrainingTarget)
        super().__init__(plan, progress)
        first = [i for name in _FIRST for i in plan.invariants if i.name == name]
        self.invariants = *first, *(i for i in plan.invariants if i not in first)
        self._settings = {
            dtype: TrainingStart(plan.target, dtype, plan.seed, plan.steps) for dtype in plan.dtypes
        }
        self._broken: dict[str, str] = {}  # dtypes in which not even a plain run works, and why
        self._ended: set[str] = set()  # those in which it ended its process
        for dtype in self._settings:
            self._try(dtype)

    def examine(self, invariant: Invariant, dtype: str) -> Verdict | None:
        """Judge an invariant in one dtype; None where it has none or an error was told already."""
        if dtype not in invariant.dtypes:
            return None
        units = any(i.units for i in self.invariants) and invariant.name not in _FIRST
        unfound = self._unfound if units else ""  # found before anything asks for them
        blank = Verdict(invariant.name, dtype, "vacuous", steps=self._settings[dtype].steps)
        verdict = self.progress.known(invariant.name, dtype)
        if verdict is not None:
            verdict = replace(verdict, steps=blank.steps)
        elif dtype in self._broken:
            return self._broken_verdict(blank)
        elif self._unjudged and self._unjudged != _FIRST.get(invariant.name):
            return replace(blank, message=f"not judged: {self._unjudged}")
        elif unfound and invariant.units:
            return replace(blank, kind="error", cases=1, message=unfound)
        else:
            self._tell(invariant.name, dtype)
            verdict = self._measured(blank, invariant)
            self.progress.examined(verdict)
        if verdict.kind == "violated":
            self._unjudged = self._unjudged or _FIRST.get(verdict.invariant, "")
        return verdict

    def notes(self, verdicts: Sequence[Verdict]) -> Sequence[str]:  # noqa: ARG002
        """Name random operations and noise, and the units that there are."""
        random = dict.fromkeys(op for s in self._settings.values() for op in s.random)
        notes = [
            f"{_NOISE.get(name, name)} is active in this step ({place}); the symmetry invariants "
            "are checked with its mean"
            for name, place in random
        ]
        notes += [
            f"noise is drawn beside the model ({place}); what it violates is checked without it"
            for place in dict.fromkeys(p for s in self._settings.values() for p in s.noise)
        ]
        if self._why_none:
            notes.append(self._why_none)
        if self.coverage is not None:
            groups = count(len(self.coverage.groups), "group")
            notes.append(f"{self.coverage.model}: {groups} of equal units")
            notes += [
                f"{units.name}: only {units.count} of {room} are treated equally; explain says why"
                for units, room in zip(self.coverage.groups, self.coverage.room, strict=True)
                if room > units.count
            ]
        return notes

    def _try(self, dtype: str) -> None:
        """See whether the training fits into memory, runs at all, and gives finite losses."""
        if (known := self._tell("first steps", dtype)) is not None:
            self._broken[dtype] = known.message
            self._ended.add(dtype)
            return
        written = self._settings.get("float32")
        try:
            if dtype == "float64" and written is not None and "float32" not in self._broken:
                refuse_beyond_memory(_PROMOTED * 2 * written.fresh.size)
            _ = self._settings[dtype].fresh
        except (SymmetryError, TargetError) as error:
            if dtype == "float32":  # that it cannot be promoted is the same on all ranks
                self.progress.failed(str(error))
            self._broken[dtype] = str(error)

    @cached_property
    def _unfound(self) -> str:
        """Find the units; say how the training ended its process while they were looked for.

        Where they cannot be found, what needs none is checked all the same.
        """
        if self._unjudged or "float32" in self._broken:
            return ""
        from symmetry.finding.find import find

        if (known := self._tell("finding units", "float64")) is not None:
            return f"while equal units were looked for, {known.message}"
        any_setting, *_ = self._settings.values()
        try:
            self.coverage = find(any_setting.training)
        except (SymmetryError, TargetError) as error:
            self._why_none = f"no equal units were looked for: {error}"
        except (RuntimeError, TypeError, ValueError, LookupError, NotImplementedError) as error:
            # An operation cannot be recorded or repeated; the rest can be checked all the same.
            self._why_none = f"no equal units were found: {in_one_line(error)}"
        else:
            for setting in self._settings.values():
                setting.model_units = self.coverage.groups
        finally:
            gc.collect()  # what was recorded refers to itself, and is large
            give_back()
        return ""

    def _tell(self, what: str, dtype: str) -> Verdict | None:
        """Say what is about to be done; return the verdict if nothing is to be run for it."""
        known = self.progress.known(what, dtype)
        if known is None:
            self.progress.case(what, dtype, 0, 1, None)
        return known

    def _broken_verdict(self, blank: Verdict) -> Verdict | None:
        """Tell an error once; what runs as written but not in float64 is not applicable there."""
        message, told = self._broken[blank.dtype], self._told
        error = replace(blank, kind="error", cases=1, message=message)
        self._told = True
        runs_as_written = "float32" in self._settings and "float32" not in self._broken
        if blank.dtype in self._ended or not runs_as_written:
            return None if told else error
        text = f"it does not run in float64{'' if told else f': {message}'}"
        return replace(blank, kind="not applicable", message=text)

    def _measured(self, blank: Verdict, invariant: Invariant) -> Verdict:
        setting = self._settings[blank.dtype]
        if invariant.name.startswith("training/") and invariant.name not in _FIRST:
            setting.let_go()  # `symmetry/*`, which compares them, was checked before
        try:
            refuse_beyond_memory(invariant.copies * setting.fresh.size)
        except SymmetryError as error:
            return replace(blank, kind="not applicable", message=str(error))
        return judge(blank, invariant, setting, exact=self.plan.exact)
