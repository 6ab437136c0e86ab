"""A run: a training on fresh objects, whose steps are taken one after the other.

``Run`` is what every framework's run can do; the law is written over it. Whatever else a run may be
able to do is a *capability*: a small class of ``symmetry.training.capabilities``. A run has it or
lacks it:

    saving = run.capability(Saving)  # None if it lacks it
    saving = needed(run, Saving)  # raises TrainingError

An invariant declares those that it needs, ``needs=(Saving,)``; where one is lacking, it is not
applicable. To add a capability:

1. declare it: a class with abstract methods in a file of ``training/capabilities/``;
2. implement it for a framework: a subclass in a file of its ``parts/``;
3. add one line to the table ``_CAPABILITIES`` of its ``run.py``: it says how a run makes it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from symmetry.base.errors import TrainingError
from symmetry.base.randomness.random import Random
from symmetry.training.capabilities.batching import Arrangement, FewSamples, Window
from symmetry.units.state import Array, State
from symmetry.units.units import Order

Kind = TypeVar("Kind")
_PERTURBATIONS = 111  # a stream of the seed


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """The settings of a run: one value from whoever begins it down to the framework."""

    dtype: str = "float32"  # as written; in "float64" everything that has fewer bits is promoted
    seed: int = 0  # of all random numbers
    # Whether random operations inside a module's forward, such as dropout, draw as they are
    # written; else their means take the place of their results. See ``Run.random``.
    noise: bool = True
    # The order of the samples in each batch, the samples of some micro-batches, or how many samples
    # a batch has; None changes nothing.
    order: Arrangement | None = None
    # The factor of values that a step detaches from its graph: where a loss cancels its own value,
    # another factor than 1 shows the parameters that it depends on.
    detached: float = 1.0

    @property
    def promotes(self) -> bool:
        """Whether everything that has fewer bits becomes float64."""
        return self.dtype == "float64"

    @property
    def sample_order(self) -> Order | None:
        """The order of the samples in each batch; None leaves them as they are."""
        return None if isinstance(self.order, Window | FewSamples) else self.order

    @property
    def few_samples(self) -> FewSamples | None:
        """How many samples of each batch are kept; None keeps all."""
        return self.order if isinstance(self.order, FewSamples) else None

    def perturbation(self, *draw: int) -> Random:
        """Return the random numbers that move the parameters of a run, by number."""
        return Random(self.seed, _PERTURBATIONS, *draw)


AS_WRITTEN = RunSettings()


class Constant(Protocol):
    """An array of a run that no recorded operation computed from others."""

    number: int  # among the constants of the run
    name: str | None  # what the model or the extras call it; None if it is not theirs
    place: str  # ``file:line`` where it was first read
    random: bool  # whether a step draws it at random
    backward: bool  # whether a backward reads it
    varies: bool  # whether other steps read another array at this place
    repeats: bool  # whether several steps read the same numbers at this place

    @property
    def array(self) -> Array:
        """Its entries."""
        ...


class Run(Protocol):
    """A training on fresh objects, whose steps are taken one after the other.

    Runs are independent: each has random numbers of its own, under the same seeds, so that steps of
    several runs may take turns.

    Attributes
    ----------
    taken
        How many steps were taken.
    """

    taken: int

    @property
    def parameters(self) -> Mapping[str, Any]:
        """The framework's own parameters, which have a shape, by the names of the state."""
        ...

    @property
    def trained(self) -> frozenset[str]:
        """The parameters that have received a gradient by now, or that an optimiser holds.

        Those in a target network may require gradients, too, and are left out. If no parameter
        qualifies, all that require a gradient are returned.
        """
        ...

    @property
    def random(self) -> Mapping[tuple[str, str], None]:
        """Name and ``file:line`` of the random operations that were seen inside of the model.

        They are only looked for without noise or in float64.
        """
        ...

    @property
    def loss(self) -> float | None:
        """The sum of the last step's losses; None if it had none."""
        ...

    def state(self, *, copy: bool = True) -> dict[str, Array]:
        """Return all floating-point arrays, by name; float32 or float64.

        Optimisers make their arrays in the first step, so that there are more after it. Without
        ``copy`` the next step may change what is returned.
        """
        ...

    def parameter_arrays(self) -> dict[str, Array]:
        """Return copies of the parameters alone."""
        ...

    def load(self, state: State) -> None:
        """Write arrays into the run's arrays of the same names; others stay."""
        ...

    def precision(self) -> dict[str, float]:
        """Return the eps of each array of the state, in the dtype that it really has."""
        ...

    def step(self) -> None:
        """Take the next step.

        Raises
        ------
        TrainingError
            If the step raises.
        """
        ...

    def states(self, steps: int, *, copy: bool = True) -> Iterator[dict[str, Array]]:
        """Yield the state after each of ``steps`` further steps."""
        ...

    def samples(self) -> int | None:
        """Return how many samples each batch has; None if that is not known to be one number."""
        ...

    def average_constants(self, constants: Mapping[int, Sequence[int]]) -> None:
        """Make steps see these constants averaged over the given axes, or zero without axes.

        They are given by the numbers that ``constants_outside_forward`` has for them.
        """
        ...

    def constants_outside_forward(self, steps: int) -> Sequence[Constant]:
        """Take ``steps`` steps; return the constants that only a backward or an update reads."""
        ...

    def round_by(self, seed: int | None, *, closely: bool = False) -> None:
        """Round each operation in another way, at random; with None as it is, but not compiled.

        Where that is dear it is done ``closely`` alone.
        """
        ...

    def close(self) -> None:
        """Give up what the run holds beside its arrays; a closed run takes no more steps."""
        ...

    @property
    def capabilities(self) -> frozenset[type]:
        """The kinds of capabilities that the framework's runs can have."""
        ...

    def capability(self, kind: type[Kind]) -> Kind | None:
        """Return the run's capability of this kind; None if it lacks it."""
        ...


def needed(run: Run, kind: type[Kind]) -> Kind:
    """Return a capability of a run that a search cannot do without.

    Raises
    ------
    TrainingError
        If the run lacks it.
    """
    found = run.capability(kind)
    if found is None:
        raise TrainingError(f"its runs lack a capability: {kind.__name__}")
    return found
