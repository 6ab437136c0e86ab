"""One invariant of trainings. Each is declared in a file of its own, beside its measure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from symmetry.law.invariant import Invariant
from symmetry.law.measurement import Measurement
from symmetry.training.capabilities.capability import Capability
from symmetry.units.dtypes import DTYPES

WRITTEN, PROMOTED = ("float32",), ("float64",)  # precisions: as written, and promoted


@dataclass(frozen=True, kw_only=True)
class TrainingInvariant(Invariant):
    """One statement that holds for every sound training, measured on a ``TrainingStart``."""

    noun: ClassVar[str] = "training"

    needs: tuple[type[Capability], ...] = ()  # of its runs: it is not applicable without one
    dtypes: tuple[str, ...] = DTYPES  # the precisions in which it is judged
    ranks: bool = False  # whether it compares ranks: with one rank it has to be selected
    resumes: bool = False  # whether it needs resumed runs: else it has to be selected
    explains_loss: bool = False  # whether it says why the first losses are not finite
    runs: int = 2  # that it compares, without those that measure the response
    copies: int = 3  # peak memory in copies of the state, as measured on a GPT
    cheap: bool = False  # whether it needs few runs: it is checked at every size that is drawn
    scripts: bool = False  # whether it only judges scripts
    of_device: bool = False  # whether the verdict on a GPU may be another one than on a CPU

    @property
    def selected_by(self) -> str:
        """The option that adds it to a check; empty if it is checked by default."""
        if self.default:
            return ""
        if self.resumes:
            return "--resume-with ARGUMENTS"
        return "--ranks N" if self.ranks else super().selected_by

    def measured(self, start: Any) -> Measurement:
        """Return the measurement on a start, if its runs can have all that it needs."""
        for need in self.needs:
            if need not in start.capabilities:
                return Measurement.not_applicable(need.absent)
        return self.measure(start).proved(start)
