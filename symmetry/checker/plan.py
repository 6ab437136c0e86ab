"""What is to be checked of a target, and on what: everything is judged before it is run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from symmetry.base.errors import SymmetryError
from symmetry.base.ranks import world
from symmetry.checker.threads import in_words
from symmetry.invariants.catalogue import Invariant, Of, catalogue_of, select
from symmetry.law.case import EXAMPLES, Case
from symmetry.steps.step import StepTarget
from symmetry.training.target import Training
from symmetry.units.state import DTYPES
from symmetry.units.words import count

Patterns = str | Iterable[str]

_PARTLY = (
    "network/* not checked: add --only '*' if your step is sigmoid, softmax and plain gradient "
    "descent"
)
_WHERE = {"float32": "as written", "float64": "in float64"}  # a training runs


@dataclass(frozen=True, kw_only=True)
class Options:
    """What can be asked of a check: the keywords of ``symmetry.check``, and their defaults."""

    only: Patterns = ()
    skip: Patterns = ()
    examples: int = EXAMPLES
    seed: int = 0
    dtype: Patterns = ()
    exact: bool = False
    expected_failures: Mapping[str, str] | None = None
    min_samples: int = 1
    cases: Sequence[Case] | None = None
    steps: int = 4
    expect_units: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """A check that can be run: options that make sense for a target, and what follows from them."""

    target: StepTarget | Training
    options: Options
    dtypes: tuple[str, ...]
    invariants: tuple[Invariant, ...]
    cases: tuple[Case, ...] = ()  # that are run; a training has none
    notes: tuple[str, ...] = ()

    @property
    def given(self) -> bool:
        """Whether the cases were given; else they are drawn."""
        return self.options.cases is not None

    @property
    def heading(self) -> tuple[str, ...]:
        """What is checked, on what, and under which conditions."""
        seed = f", seed {self.options.seed}"
        if isinstance(self.target, Training):
            on = f"of a training, {' and '.join(_WHERE[dtype] for dtype in self.dtypes)}{seed}"
        elif self.given:
            on = f"on {count(len(self.cases), 'given case')}"
        else:
            on = (
                f"on {count(self.options.examples, 'case')} in {' and in '.join(self.dtypes)}{seed}"
            )
        what = f"{self.target.name}: {count(len(self.invariants), 'invariant')} {on}"
        return f"{what}{', exactly' * self.options.exact}", in_words()

    def each(self) -> Iterator[Plan]:
        """Yield the same plan for one invariant after the other."""
        for invariant in self.invariants:
            yield replace(self, invariants=(invariant,), notes=())


def make_plan(target: StepTarget | Training, options: Options) -> Plan:
    """Return the plan for a target.

    Raises ``SymmetryError`` if an option makes no sense.
    """
    only, skip, dtypes = map(_several, (options.only, options.skip, options.dtype))
    _refuse_numbers(options, dtypes)
    dtypes = tuple(dtype for dtype in DTYPES if dtype in dtypes or not dtypes)
    kind: Of = "trainings" if isinstance(target, Training) else "steps"
    if kind == "trainings" and world() > 1:  # what averages gradients was made for other dtypes
        if options.dtype and "float32" not in dtypes:
            raise SymmetryError("under torchrun a training is checked as written: in float32")
        dtypes = ("float32",)
    notes: tuple[str, ...] = ()
    if isinstance(target, Training):
        if options.cases is not None:
            raise SymmetryError(f"{target.name} is a training: it has no cases to be run")
        target = target.expecting(options.expect_units)
    elif options.expect_units:
        raise SymmetryError(f"{target.name} is a two-layer step: no units are looked for in it")
    elif not only and not target.builtin:  # it need not be the network of these formulas
        only, notes = ("symmetry/*",), (_PARTLY,)
    invariants = select(only, skip, kind)
    cases = _list_cases(options, dtypes) if kind == "steps" else ()
    _refuse_expectations(options.expected_failures or {}, kind)
    return Plan(target, options, dtypes, invariants, cases, notes)


def _refuse_numbers(options: Options, dtypes: Iterable[str]) -> None:
    for dtype in dtypes:
        if dtype not in DTYPES:
            raise SymmetryError(f"dtype must be one of {', '.join(DTYPES)}, not {dtype!r}")
    for name, least in (("seed", 0), ("steps", 2), ("examples", 1), ("min_samples", 1)):
        value = getattr(options, name)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise SymmetryError(f"{name} must be an integer of at least {least}, not {value!r}")


def _refuse_expectations(expected: Mapping[str, str], kind: Of) -> None:
    names = [invariant.name for invariant in catalogue_of(kind)]
    for name, reason in expected.items():
        if name not in names:
            raise SymmetryError(
                f"cannot expect a failure of {name!r}: there are {', '.join(names)}"
            )
        if not reason.strip():
            raise SymmetryError(f"an expected failure of {name} needs a reason")


def _list_cases(options: Options, dtypes: Sequence[str]) -> tuple[Case, ...]:
    """Draw cases unless they were given, which are taken as they are."""
    cases = options.cases
    if cases is None:
        from symmetry.steps.cases.strategies import draw_cases  # imports Hypothesis

        drawn = draw_cases(options.examples, options.seed, dtypes)
        cases = [replace(case, n=max(case.n, options.min_samples)) for case in drawn]
    found = tuple(case for case in cases if case.dtype in dtypes)
    if not found:
        raise SymmetryError(f"no case is in {' or '.join(dtypes)}")
    return found


def _several(value: Patterns) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)
