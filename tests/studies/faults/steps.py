"""The whole zoo before the whole catalogue: which invariant catches which fault, and when."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

from symmetry.checker.verdict import Verdict
from symmetry.law.case import Case
from symmetry.steps.cases.strategies import draw_cases
from symmetry.targets.resolve import as_step_target
from tests.catalogues import STEPS, select
from tests.checking import check
from tests.faulty import FAULTY, Fault
from tests.sound import SOUND, Sound


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
    """How a sound trainer fared: what accuses it, and what is not as it was expected to be."""

    sound: Sound
    accusing: tuple[Verdict, ...]
    unexpected: tuple[Verdict, ...]


@dataclass(frozen=True)
class Survey:
    """The whole zoo, as it is listed."""

    catches: tuple[Catch, ...]
    acquittals: tuple[Acquittal, ...]

    @property
    def as_it_should_be(self) -> bool:
        """Whether all faults were caught and all sound trainers got the verdicts they should."""
        caught = all(catch.caught for catch in self.catches)
        return caught and not any(acquittal.unexpected for acquittal in self.acquittals)


def survey(on_result: Callable[[Catch | Acquittal], None]) -> Survey:
    """Run everything with the default budget, on all cores; what comes out does not depend on them.

    A trainer is met by one process only, so that what it keeps in its module stays its own affair.
    """
    with ProcessPoolExecutor() as pool:
        catches = pool.map(_catch, range(len(FAULTY)))
        acquittals = pool.map(_acquit, range(len(SOUND)))
        return Survey(_reported(catches, on_result), _reported(acquittals, on_result))


def _reported(results: Iterator, on_result: Callable) -> tuple:
    kept = []
    for result in results:
        on_result(result)
        kept.append(result)
    return tuple(kept)


def _catch(index: int) -> Catch:
    fault = FAULTY[index]
    trainer = as_step_target(fault.trainer)
    meant = select(fault.caught_by[:1])
    look = partial(check, trainer, cases=draw_cases(dtypes=trainer.dtypes))
    alone = (look([each], exact=True, shrinking=False) for each in STEPS)  # errors in each
    gating = [verdict for verdicts in alone for verdict in verdicts if verdict.gates]
    failing = [verdict for verdict in look(meant) if verdict.case]
    worst = min(failing, key=lambda verdict: verdict.kind == "rounding", default=None)
    return Catch(
        fault,
        by=frozenset(verdict.invariant for verdict in gating),
        cases=next((v.cases for v in gating if v.invariant == meant[0].name), 0),
        smallest=worst and worst.case,
        rounding=worst is not None and worst.kind == "rounding",
    )


def _acquit(index: int) -> Acquittal:
    sound = SOUND[index]
    trainer = as_step_target(sound.trainer)
    patterns = select(sound.patterns)
    verdicts = check(trainer, patterns, draw_cases(), exact=True, shrinking=False)
    accusing = tuple(v for v in verdicts if v.gates and v.invariant not in sound.violates)
    unexpected = tuple(
        verdict
        for verdict in verdicts
        if verdict.kind != sound.expected(verdict.invariant, verdict.dtype)
    )
    return Acquittal(sound, accusing, unexpected)
