"""The whole zoo before the whole catalogue: which invariant catches which fault, and when."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from symmetry.checker.verdict import Verdict
from symmetry.law.case import Case, parse_case
from symmetry.law.invariant import Invariant
from symmetry.steps.drawn_cases import draw_cases
from symmetry.targets.resolve import as_step_target
from tests.catalogues import STEPS, select
from tests.checking import check
from tests.faulty import FAULTY, Fault
from tests.sound import SOUND, Sound
from tests.studies.faults.rows import Row

_CATCHES, _ACQUITTALS = "faulty/steps", "sound/steps"


@dataclass(frozen=True)
class Catch:
    """How a fault fared.

    Attributes
    ----------
    fault
        The broken trainer.
    by
        All invariants that caught it, in one dtype at least.
    cases
        How many the first invariant that is meant to catch it had to look at.
    smallest
        The smallest counterexample that this invariant came to, rounding being allowed.
    rounding
        Whether the rounding of single steps explains whatever this invariant saw.
    """

    fault: Fault
    by: frozenset[str]
    cases: int
    smallest: Case | None
    rounding: bool

    @property
    def caught(self) -> bool:
        """Whether everything that is meant to catch it did."""
        return self.by.issuperset(self.fault.caught_by)

    @property
    def by_default(self) -> bool:
        """Whether an invariant that is checked of any step caught it."""
        return any(name.startswith("symmetry/") for name in self.by)


@dataclass(frozen=True)
class Acquittal:
    """How a sound trainer fared.

    Attributes
    ----------
    sound
        The trainer.
    accusing
        The invariants that accuse it.
    unexpected
        Each verdict that is not as it was expected to be: invariant, dtype and kind.
    """

    sound: Sound
    accusing: tuple[str, ...]
    unexpected: tuple[str, ...]


@dataclass(frozen=True)
class Survey:
    """The whole zoo, as it is listed."""

    catches: tuple[Catch, ...]
    acquittals: tuple[Acquittal, ...]

    @property
    def unexpected(self) -> list[str]:
        """The faults that were not caught, and the sound trainers with a verdict too many."""
        missed = [catch.fault.name for catch in self.catches if not catch.caught]
        return missed + [each.sound.name for each in self.acquittals if each.unexpected]


def measures() -> dict[str, Callable[[], Row]]:
    """Return what measures each step of the zoo, with the default budget."""
    catches = {f"{_CATCHES}/{fault.name}": partial(_catch, fault) for fault in FAULTY}
    return catches | {f"{_ACQUITTALS}/{sound.name}": partial(_acquit, sound) for sound in SOUND}


def survey(rows: Mapping[str, Row]) -> Survey:
    """Return how the whole zoo fared."""
    return Survey(
        tuple(catch(fault, rows[f"{_CATCHES}/{fault.name}"]) for fault in FAULTY),
        tuple(acquittal(sound, rows[f"{_ACQUITTALS}/{sound.name}"]) for sound in SOUND),
    )


def catch(fault: Fault, row: Row) -> Catch:
    """Return how a fault fared, from its row."""
    smallest = parse_case(row["smallest"]) if row["smallest"] else None
    return Catch(fault, frozenset(row["by"]), row["cases"], smallest, row["rounding"])


def acquittal(sound: Sound, row: Row) -> Acquittal:
    """Return how a sound trainer fared, from its row."""
    return Acquittal(sound, tuple(row["accusing"]), tuple(row["unexpected"]))


def _catch(fault: Fault) -> Row:
    """Look for what catches a fault, in the second dtype only where the first one shows nothing."""
    trainer = as_step_target(fault.trainer)
    meant = select(fault.caught_by[:1])

    def look(invariants: Sequence[Invariant], **options: bool) -> Iterator[Verdict]:
        for dtype in trainer.dtypes:
            yield from check(trainer, invariants, draw_cases(dtypes=[dtype]), **options)

    alone = (look([each], exact=True, shrinking=False) for each in STEPS)  # errors in each
    first = (next((v for v in verdicts if v.gates), None) for verdicts in alone)
    by = {verdict.invariant: verdict.cases for verdict in first if verdict}
    failing: list[Verdict] = []
    for verdict in look(meant):
        if verdict.case:
            failing.append(verdict)
            if verdict.kind != "rounding":
                break
    worst = min(failing, key=lambda verdict: verdict.kind == "rounding", default=None)
    return {
        "by": [*by],
        "cases": by.get(meant[0].name, 0),
        "smallest": worst and worst.case.to_json(),
        "rounding": worst is not None and worst.kind == "rounding",
    }


def _acquit(sound: Sound) -> Row:
    trainer = as_step_target(sound.trainer)
    patterns = select(sound.patterns)
    verdicts = check(trainer, patterns, draw_cases(), exact=True, shrinking=False)
    accusing = [v.invariant for v in verdicts if v.gates and v.invariant not in sound.violates]
    unexpected = [
        f"{verdict.invariant} {verdict.dtype}: {verdict.kind}"
        for verdict in verdicts
        if verdict.kind != sound.expected(verdict.invariant, verdict.dtype)
    ]
    return {"accusing": [*dict.fromkeys(accusing)], "unexpected": unexpected}
