"""The whole zoo before the whole catalogue: which invariant catches which fault, and when."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

from symmetry.checker.case import Case
from symmetry.checker.check import check
from symmetry.checker.strategies import draw_cases
from symmetry.checker.verdict import Verdict
from symmetry.invariants.catalogue import CATALOGUE, select
from symmetry.trainers.resolve import as_trainer
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
        The smallest counterexample that this invariant came to.
    rounding
        Whether rounding explains that counterexample, so that its size is a matter of last bits.
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
    trainer = as_trainer(fault.trainer)
    look = partial(check, trainer, cases=draw_cases(dtypes=trainer.dtypes))
    by = {verdict.invariant for verdict in look(CATALOGUE, shrinking=False) if verdict.gates}
    meant = [verdict for verdict in look(select(fault.caught_by[:1])) if verdict.gates]
    if not meant:
        return Catch(fault, frozenset(by), 0, None, False)
    first = meant[0]
    rounding = first.violation is not None and bool(first.violation.rounding)
    return Catch(fault, frozenset(by), first.cases, first.case, rounding)


def _acquit(index: int) -> Acquittal:
    sound = SOUND[index]
    trainer = as_trainer(sound.trainer)
    verdicts = check(trainer, select(sound.patterns), draw_cases(), shrinking=False)
    accusing = tuple(verdict for verdict in verdicts if verdict.gates)
    unexpected = tuple(
        verdict
        for verdict in verdicts
        if verdict.kind != sound.expected(verdict.invariant, verdict.dtype)
    )
    return Acquittal(sound, accusing, unexpected)
