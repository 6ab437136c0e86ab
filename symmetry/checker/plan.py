"""What is to be checked of a two-layer step, and on what: everything is judged before it is run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from symmetry.checker import demands, threads
from symmetry.checker.case import Case
from symmetry.checker.check import Progress, check
from symmetry.checker.diagnosis import diagnose
from symmetry.checker.strategies import EXAMPLES, draw_cases
from symmetry.checker.verdict import Checked
from symmetry.errors import SymmetryError
from symmetry.invariants.catalogue import CATALOGUE, Invariant, select
from symmetry.targets.trainer import Trainer
from symmetry.units.words import count

_PARTLY = (
    "network/* not checked: add --only '*' if your step is sigmoid, softmax and plain gradient "
    "descent"
)


@dataclass(frozen=True)
class Plan:
    """A check that can be run; see ``plan_check`` for what the attributes mean."""

    trainer: Trainer
    invariants: tuple[Invariant, ...]
    cases: tuple[Case, ...]
    seed: int | None
    exact: bool
    expected_failures: Mapping[str, str]
    min_samples: int
    notes: tuple[str, ...]

    @property
    def heading(self) -> tuple[str, ...]:
        """Say what is checked, on what, and under which conditions."""
        what = f"{self.trainer.name}: {count(len(self.invariants), 'invariant')}"
        if self.seed is None:
            on = count(len(self.cases), "given case")
        else:
            dtypes = dict.fromkeys(case.dtype for case in self.cases)
            on = f"{count(self._examples, 'case')} in {' and in '.join(dtypes)}, seed {self.seed}"
        return f"{what} on {on}{', exactly' * self.exact}", threads.in_words()

    @property
    def _examples(self) -> int:
        given = len(self.cases)
        return given if self.seed is None else given // len({case.dtype for case in self.cases})

    def each(self) -> Iterator[Plan]:
        """Yield the same plan for one invariant after the other."""
        for invariant in self.invariants:
            yield replace(self, invariants=(invariant,), notes=())

    def run(self, progress: Progress | None = None) -> Checked:
        """Check, and say what is the matter where several verdicts have one cause."""
        progress = progress or Progress()
        progress.begin(self.heading)
        verdicts = check(
            self.trainer,
            self.invariants,
            self.cases,
            exact=self.exact,
            expected_failures=self.expected_failures,
            shrinking=self.seed is not None,
            min_samples=self.min_samples,
            progress=progress,
        )
        notes = (*diagnose(self.trainer, verdicts), *self.notes)
        return Checked(self.trainer.name, self.seed, self._examples, verdicts, self.heading, notes)


def plan_check(
    trainer: Trainer,
    *,
    only: Sequence[str] = (),
    skip: Sequence[str] = (),
    examples: int = EXAMPLES,
    seed: int = 0,
    dtypes: Sequence[str] = (),
    exact: bool = False,
    expected_failures: Mapping[str, str] | None = None,
    min_samples: int = 1,
    cases: Sequence[Case] | None = None,
) -> Plan:
    """Plan the check of a two-layer step.

    The parameters are those of ``symmetry.check``.

    Raises
    ------
    SymmetryError
        If one of these makes no sense; the message is one readable line.
    """
    expected = demands.expected_failures(expected_failures, CATALOGUE)
    demands.at_least("examples", examples, 1)
    demands.at_least("seed", seed, 0)
    demands.at_least("min_samples", min_samples, 1)
    chosen = demands.dtypes(dtypes)
    if cases is None:
        drawn = draw_cases(examples, seed, chosen)
        kept = tuple(replace(case, n=max(case.n, min_samples)) for case in drawn)
    else:
        kept = tuple(case for case in cases if case.dtype in chosen)
        if not kept:
            raise SymmetryError(f"no case is in {' or '.join(chosen)}")
    return Plan(
        trainer,
        applicable(trainer, only, skip),
        kept,
        seed if cases is None else None,
        exact,
        expected,
        min_samples,
        () if only or trainer.builtin else (_PARTLY,),
    )


def applicable(
    trainer: Trainer, only: Sequence[str] = (), skip: Sequence[str] = ()
) -> tuple[Invariant, ...]:
    """Return the invariants to check: all of them for the project's own trainers.

    Another step need not be the network that ``network/*`` speaks of. Those are checked when
    ``only`` asks for them.

    Raises
    ------
    SymmetryError
        If a pattern matches no invariant, or nothing is left.
    """
    if not only and not trainer.builtin:
        only = ("symmetry/*",)
    return select(only, skip)
