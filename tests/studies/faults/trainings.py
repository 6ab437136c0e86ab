"""The zoo of trainings before the checker: which invariants catch which fault, and by how much."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from symmetry.checker.verdict import Verdict
from tests.checking import check_target
from tests.faulty.trainings import FAULTS, Fault
from tests.sound.trainings import TARGETS

OF_UNITS = ("symmetry/permutation", "symmetry/clones", "symmetry/samples")


@dataclass(frozen=True)
class Fared:
    """How a training fared.

    Attributes
    ----------
    name, about
        What it is, and what is wrong with it or what it does.
    fault
        What it is an example of; None for a sound one.
    verdicts
        All that was found out about it.
    """

    name: str
    about: str
    fault: Fault | None
    verdicts: tuple[Verdict, ...]

    @property
    def caught_by(self) -> tuple[str, ...]:
        """The invariants that accuse it."""
        return tuple(dict.fromkeys(v.invariant for v in self.verdicts if v.gates))

    @property
    def as_it_should_be(self) -> bool:
        """Whether what is meant to accuse it does; nothing, if it is sound."""
        meant = set(self.fault.caught_by) if self.fault else set()
        return meant <= set(self.caught_by) if self.fault else not self.caught_by

    def ratio(self, dtype: str) -> float | None:
        """Return the largest deviation by response, of what is compared by response."""
        found = [v.ratio for v in self.verdicts if v.dtype == dtype and v.ratio is not None]
        return max(found, default=None)


def survey(on_result: Callable[[Fared], None]) -> tuple[Fared, ...]:
    """Check the whole zoo, one training after the other."""
    found = []
    for fault in FAULTS:
        only = ("*",) if "training/gradient" in fault.caught_by else ()
        checked = check_target(fault.target, only=only)
        found.append(Fared(fault.name, fault.wrong, fault, checked.verdicts))
        on_result(found[-1])
    for target in TARGETS:
        checked = check_target(target)
        assert checked.coverage is not None
        groups = len(checked.coverage.groups)
        about = f"{checked.coverage.model}, {groups} group{'s' * (groups > 1)} of units"
        found.append(Fared(target.name, about, None, checked.verdicts))
        on_result(found[-1])
    return tuple(found)
