"""What is to be checked of a target, and on what: everything is judged before it is run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from symmetry.checker import threads
from symmetry.checker.case import EXAMPLES, Case
from symmetry.checker.check import StepExaminer
from symmetry.checker.progress import Progress
from symmetry.checker.training import TrainingExaminer
from symmetry.checker.verdict import Checked
from symmetry.errors import SymmetryError
from symmetry.invariants import catalogue, trainings
from symmetry.invariants.catalogue import Invariant
from symmetry.targets.trainer import DTYPES, Trainer
from symmetry.targets.training import Training
from symmetry.units.words import count

STEPS = 4
_PARTLY = (
    "network/* not checked: add --only '*' if your step is sigmoid, softmax and plain gradient "
    "descent"
)
_WHERE = {"float32": "as written", "float64": "in float64"}  # a training runs


@dataclass(frozen=True)
class Plan:
    """A check that can be run; see ``plan_check`` for what the attributes mean.

    A training has no cases, and where cases were given there is no seed of their list.
    """

    target: Trainer | Training
    invariants: tuple[Any, ...]  # of the target's own kind
    dtypes: tuple[str, ...]
    seed: int | None
    exact: bool
    expected_failures: Mapping[str, str]
    steps: int
    cases: tuple[Case, ...]
    min_samples: int
    notes: tuple[str, ...]

    @property
    def heading(self) -> tuple[str, ...]:
        """Say what is checked, on what, and under which conditions."""
        if isinstance(self.target, Training):
            on = f"of a training, {' and '.join(_WHERE[dtype] for dtype in self.dtypes)}"
        elif self.seed is None:
            on = f"on {count(len(self.cases), 'given case')}"
        else:
            on = f"on {count(self._examples, 'case')} in {' and in '.join(self.dtypes)}"
        seed = "" if self.seed is None else f", seed {self.seed}"
        what = f"{self.target.name}: {count(len(self.invariants), 'invariant')} {on}{seed}"
        return f"{what}{', exactly' * self.exact}", threads.in_words()

    @property
    def _examples(self) -> int:
        return len(self.cases) if self.seed is None else len(self.cases) // len(self.dtypes)

    def each(self) -> Iterator[Plan]:
        """Yield the same plan for one invariant after the other."""
        for invariant in self.invariants:
            yield replace(self, invariants=(invariant,), notes=())

    def run(self, progress: Progress | None = None) -> Checked:
        """Check, and say what is the matter where several verdicts have one cause."""
        progress = progress or Progress()
        progress.begin(self.heading)
        make = TrainingExaminer if isinstance(self.target, Training) else StepExaminer
        with threads.one_thread():
            examiner = make(self, progress)
            verdicts = examiner.verdicts()
        return Checked(
            trainer=self.target.name,
            seed=self.seed,
            examples=self._examples if self.cases else None,
            verdicts=verdicts,
            heading=self.heading,
            notes=tuple(examiner.notes(verdicts)),
            coverage=examiner.coverage,
        )


def plan_check(
    target: Trainer | Training,
    *,
    only: str | Iterable[str] = (),
    skip: str | Iterable[str] = (),
    examples: int = EXAMPLES,
    seed: int = 0,
    dtypes: str | Iterable[str] = (),
    exact: bool = False,
    allow: str | Iterable[str] = (),
    expected_failures: Mapping[str, str] | None = None,
    min_samples: int = 1,
    cases: Sequence[Case] | None = None,
    steps: int = STEPS,
) -> Plan:
    """Plan the check of a two-layer step or of a training.

    The parameters are those of ``symmetry.check``. One that makes no sense is refused.
    """
    for name in _several(allow):
        if name != "rounding":
            raise SymmetryError(f"all that can be allowed is 'rounding', not {name!r}")
    only, skip, given = _several(only), _several(skip), _several(dtypes)
    for dtype in given:
        if dtype not in DTYPES:
            raise SymmetryError(f"dtype must be one of {', '.join(DTYPES)}, not {dtype!r}")
    chosen = tuple(dtype for dtype in DTYPES if dtype in given or not given)
    _at_least("seed", seed, 0)
    kept: tuple[Case, ...] = ()
    notes: tuple[str, ...] = ()
    if isinstance(target, Training):
        _at_least("steps", steps, 2)
        if cases is not None:
            raise SymmetryError(f"{target.name} is a training: it has no cases to be run")
    else:
        _at_least("examples", examples, 1)
        _at_least("min_samples", min_samples, 1)
        from symmetry.checker.strategies import draw_cases  # imports Hypothesis

        drawn = () if cases is not None else draw_cases(examples, seed, chosen)
        kept = tuple(replace(case, n=max(case.n, min_samples)) for case in drawn)
        kept += tuple(case for case in cases or () if case.dtype in chosen)
        if not kept:
            raise SymmetryError(f"no case is in {' or '.join(chosen)}")
        notes = () if only or target.builtin else (_PARTLY,)
    return Plan(
        target,
        applicable(target, only, skip),
        chosen,
        seed if cases is None else None,
        exact,
        _expected(target, expected_failures or {}),
        steps,
        kept,
        min_samples,
        notes,
    )


def applicable(
    target: Trainer | Training, only: Sequence[str] = (), skip: Sequence[str] = ()
) -> tuple[Invariant, ...]:
    """Return the invariants to check: of the project's own steps all, of a training the usual ones.

    Another step need not be the network that ``network/*`` speaks of. Those are checked when
    ``only`` asks for them.
    """
    if isinstance(target, Training):
        return trainings.select(only, skip)
    if not only and not target.builtin:
        only = ("symmetry/*",)
    return catalogue.select(only, skip)


def _several(value: str | Iterable[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _at_least(name: str, value: object, least: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise SymmetryError(f"{name} must be an integer of at least {least}, not {value!r}")


def _expected(target: Trainer | Training, given: Mapping[str, str]) -> Mapping[str, str]:
    """Refuse expectations of invariants that do not exist, and those without a reason."""
    known = trainings.TRAININGS if isinstance(target, Training) else catalogue.CATALOGUE
    names = [invariant.name for invariant in known]
    for name, reason in given.items():
        if name not in names:
            raise SymmetryError(
                f"cannot expect a failure of {name!r}: there are {', '.join(names)}"
            )
        if not reason.strip():
            raise SymmetryError(f"an expected failure of {name} needs a reason")
    return dict(given)
