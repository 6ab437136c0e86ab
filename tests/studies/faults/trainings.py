"""The zoo of trainings before the checker: which invariants catch which fault, and by how much."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from symmetry.checker.verdict import Verdict
from symmetry.training.target import Training
from tests.catalogues import TRAININGS
from tests.checking import check_target
from tests.faulty.trainings import FAULTS, Fault
from tests.sound.trainings import TARGETS
from tests.studies.faults.rows import Row

_FAULTY, _SOUND = "faulty/trainings", "sound/trainings"
ON_REQUEST = {invariant.name for invariant in TRAININGS if not invariant.default}


@dataclass(frozen=True)
class Fared:
    """How a training fared.

    Attributes
    ----------
    name, about
        What it is, and what is wrong with it or what it does.
    fault
        What it is an example of; None for a sound one.
    caught_by
        The invariants that accuse it.
    ratios
        The largest deviation by response, by dtype, of what is compared by response.
    """

    name: str
    about: str
    fault: Fault | None
    caught_by: tuple[str, ...]
    ratios: Mapping[str, float]

    @property
    def as_it_should_be(self) -> bool:
        """Whether what is meant to accuse it does; nothing, if it is sound."""
        meant = set(self.fault.caught_by) if self.fault else set()
        return meant <= set(self.caught_by) if self.fault else not self.caught_by


def measures() -> dict[str, Callable[[], Row]]:
    """Return what measures each training of the zoo."""
    faults = {f"{_FAULTY}/{fault.name}": partial(_caught, fault) for fault in FAULTS}
    return faults | {f"{_SOUND}/{target.name}": partial(_acquitted, target) for target in TARGETS}


def survey(rows: Mapping[str, Row]) -> tuple[Fared, ...]:
    """Return how the whole zoo fared."""
    return (
        *(fared(fault.name, rows[f"{_FAULTY}/{fault.name}"], fault) for fault in FAULTS),
        *(fared(target.name, rows[f"{_SOUND}/{target.name}"]) for target in TARGETS),
    )


def fared(name: str, row: Row, fault: Fault | None = None) -> Fared:
    """Return how a training fared, from its row."""
    about = fault.wrong if fault else row["about"]
    return Fared(name, about, fault, tuple(row["caught_by"]), row["ratios"])


def _caught(fault: Fault) -> Row:
    only = ("*",) if ON_REQUEST.intersection(fault.caught_by) else ()
    return _judged(check_target(fault.target, only=only).verdicts)


def _acquitted(target: Training) -> Row:
    checked = check_target(target)
    assert checked.coverage is not None
    groups = len(checked.coverage.groups)
    about = f"{checked.coverage.model}, {groups} group{'s' * (groups > 1)} of units"
    return {"about": about, **_judged(checked.verdicts)}


def _judged(verdicts: tuple[Verdict, ...]) -> Row:
    ratios: dict[str, float] = {}
    for verdict in verdicts:
        if verdict.ratio is not None:
            ratios[verdict.dtype] = max(verdict.ratio, ratios.get(verdict.dtype, 0.0))
    gating = dict.fromkeys(verdict.invariant for verdict in verdicts if verdict.gates)
    return {"caught_by": [*gating], "ratios": ratios}
