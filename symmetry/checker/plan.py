"""What is to be checked of a target, and on what: everything is judged before it is run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import KW_ONLY, dataclass, field, replace

from symmetry.base.errors import SymmetryError
from symmetry.checker import threads
from symmetry.checker.progress import Progress
from symmetry.checker.steps import StepExaminer
from symmetry.checker.trainings import TrainingExaminer
from symmetry.checker.verdict import Checked, Verdict, settled
from symmetry.invariants import catalogue, trainings
from symmetry.invariants.catalogue import Invariant
from symmetry.steps.case import EXAMPLES, Case
from symmetry.steps.step import StepTarget
from symmetry.trainings.training import TrainingTarget
from symmetry.units.state import DTYPES
from symmetry.units.words import count

STEPS = 4
_PARTLY = (
    "network/* not checked: add --only '*' if your step is sigmoid, softmax and plain gradient "
    "descent"
)
_WHERE = {"float32": "as written", "float64": "in float64"}  # a training runs


@dataclass
class Plan:
    """A check that can be run, made of the options of ``symmetry.check``.

    One that makes no sense is refused. A training has no cases.
    """

    target: StepTarget | TrainingTarget
    _: KW_ONLY
    only: str | Iterable[str] = ()
    skip: str | Iterable[str] = ()
    examples: int = EXAMPLES
    seed: int = 0
    dtype: str | Iterable[str] = ()
    exact: bool = False
    allow: str | Iterable[str] = ()
    expected_failures: Mapping[str, str] | None = None
    min_samples: int = 1
    cases: Sequence[Case] | None = None  # once it is made: those that are run
    steps: int = STEPS

    # What follows from them.
    given: bool = field(init=False)  # whether the cases were; else they are drawn
    dtypes: tuple[str, ...] = field(init=False)
    invariants: tuple[Invariant, ...] = field(init=False)
    notes: tuple[str, ...] = field(init=False, default=())

    def __post_init__(self) -> None:
        only, skip, dtypes = map(_several, (self.only, self.skip, self.dtype))
        for name in _several(self.allow):
            if name != "rounding":
                raise SymmetryError(f"all that can be allowed is 'rounding', not {name!r}")
        for dtype in dtypes:
            if dtype not in DTYPES:
                raise SymmetryError(f"dtype must be one of {', '.join(DTYPES)}, not {dtype!r}")
        for name, least in (("seed", 0), ("steps", 2), ("examples", 1), ("min_samples", 1)):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise SymmetryError(f"{name} must be an integer of at least {least}, not {value!r}")
        self.given = self.cases is not None
        self.dtypes = tuple(dtype for dtype in DTYPES if dtype in dtypes or not dtypes)
        if isinstance(self.target, TrainingTarget):
            self.invariants, known = trainings.select(only, skip), trainings.TRAININGS
            if self.given:
                raise SymmetryError(f"{self.target.name} is a training: it has no cases to be run")
        else:
            if not only and not self.target.builtin:  # it need not be the network of these formulas
                only, self.notes = ("symmetry/*",), (_PARTLY,)
            self.invariants, known = catalogue.select(only, skip), catalogue.CATALOGUE
            self._list_cases()
        names = [invariant.name for invariant in known]
        for name, reason in (self.expected_failures or {}).items():
            if name not in names:
                raise SymmetryError(
                    f"cannot expect a failure of {name!r}: there are {', '.join(names)}"
                )
            if not reason.strip():
                raise SymmetryError(f"an expected failure of {name} needs a reason")

    def _list_cases(self) -> None:
        """Draw cases unless they were given, which are taken as they are."""
        if self.cases is None:
            from symmetry.steps.strategies import draw_cases  # imports Hypothesis

            drawn = draw_cases(self.examples, self.seed, self.dtypes)
            self.cases = tuple(replace(case, n=max(case.n, self.min_samples)) for case in drawn)
        self.cases = tuple(case for case in self.cases if case.dtype in self.dtypes)
        if not self.cases:
            raise SymmetryError(f"no case is in {' or '.join(self.dtypes)}")

    @property
    def heading(self) -> tuple[str, ...]:
        """Say what is checked, on what, and under which conditions."""
        seed = f", seed {self.seed}"
        if isinstance(self.target, TrainingTarget):
            on = f"of a training, {' and '.join(_WHERE[dtype] for dtype in self.dtypes)}{seed}"
        elif self.given:
            on = f"on {count(len(self.cases or ()), 'given case')}"
        else:
            on = f"on {count(self.examples, 'case')} in {' and in '.join(self.dtypes)}{seed}"
        what = f"{self.target.name}: {count(len(self.invariants), 'invariant')} {on}"
        return f"{what}{', exactly' * self.exact}", threads.in_words()

    def each(self) -> Iterator[Plan]:
        """Yield the same plan for one invariant after the other."""
        for invariant in self.invariants:
            plan = copy(self)
            plan.invariants, plan.notes = (invariant,), ()
            yield plan

    def run(self, progress: Progress | None = None) -> Checked:
        """Check, and say what is the matter where several verdicts have one cause."""
        progress = progress or Progress()
        progress.begin(self.heading)
        make = TrainingExaminer if isinstance(self.target, TrainingTarget) else StepExaminer
        verdicts: list[Verdict] = []
        with threads.one_thread():
            examiner = make(self, progress)
            for invariant in examiner.invariants:
                found = (examiner.examine(invariant, dtype) for dtype in examiner.dtypes)
                reason = (self.expected_failures or {}).get(invariant.name)
                for verdict in settled([v for v in found if v is not None], reason):
                    progress.verdict(verdict)
                    verdicts.append(verdict)
        examples = len(self.cases or ()) if self.given else self.examples
        return Checked(
            trainer=self.target.name,
            seed=None if self.given else self.seed,
            examples=examples if self.cases else None,
            verdicts=tuple(verdicts),
            heading=self.heading,
            notes=tuple(examiner.notes(verdicts)),
            coverage=examiner.coverage,
        )


def _several(value: str | Iterable[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)
