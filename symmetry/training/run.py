"""What a run of a training is, whatever framework it is written in.

The law, the checker and the search for units know a run by what is written here. A framework has a
folder of its own with a run that does it: ``symmetry.torch``.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, runtime_checkable

from symmetry.training.losses import LossProbe
from symmetry.training.shown import Shown
from symmetry.training.trace import Trace
from symmetry.training.trial import Trial
from symmetry.units.state import Array, State


class Constant(Protocol):
    """An array of a run that no operation makes from others, or that is drawn at random.

    Attributes
    ----------
    number
        Its number among those of the run.
    name
        What the model or the extras call it; None if it is not theirs.
    place
        ``file:line`` where it was first read.
    drawn
        Whether a step draws it.
    backward
        Whether a backward reads it.
    varies
        Whether what is read there is another one in other steps.
    repeats
        Whether it is read there in several steps, each time with the same numbers.
    """

    number: int
    name: str | None
    place: str
    drawn: bool
    backward: bool
    varies: bool
    repeats: bool

    @property
    def array(self) -> Array:
        """Its entries."""
        ...


class Optimizer(Protocol):
    """An optimiser of a run.

    Attributes
    ----------
    kind
        The name of its class.
    """

    kind: str

    def rates(self) -> Mapping[str, float | None]:
        """Return the learning rate of each parameter that it holds; None where it has none."""
        ...

    def zero_rates(self) -> None:
        """Set all learning rates to zero, up to ``restore_rates``."""
        ...

    def restore_rates(self) -> None:
        """Set the learning rates to what they were before ``zero_rates``."""
        ...


class Run(Protocol):
    """A training on fresh objects, whose steps are taken one after the other.

    Runs know nothing of each other: each has random numbers of its own, under the same seeds, so
    that steps of several runs may take turns.

    Attributes
    ----------
    taken
        How many steps were taken.
    order
        In which order the samples of each batch are put; None leaves them as they are. A script
        has to begin with it: it has made its first batch by then.
    backwards, grads
        How often the last step asked for gradients: those that are kept, and those that are
        returned, with respect to parameters.
    updates, pending
        How often optimisers stepped, and whether gradients have come since.
    on_loss
        Called with each loss before its backward. What it raises ends the step, passing through.
    after_backward
        Called after each backward: the gradients are there, and not used yet.
    before_update, after_update
        Called with an ``Optimizer`` just before and after its step.
    """

    taken: int
    order: Array | None
    updates: int
    pending: bool
    backwards: int
    grads: int
    on_loss: Callable[[Any], None]
    after_backward: Callable[[], None]
    before_update: Callable[[Any], None]
    after_update: Callable[[Any], None]

    @property
    def parameters(self) -> Mapping[str, Any]:
        """The framework's own parameters, which have a shape, by the names of the state."""
        ...

    @property
    def random(self) -> Mapping[tuple[str, str], None]:
        """Name and ``file:line`` of the random operations that were seen inside of the model.

        They are only looked for without noise or in float64.
        """
        ...

    @property
    def model_name(self) -> str:
        """What the model is called, in its first line of a coverage."""
        ...

    @property
    def trained(self) -> frozenset[str]:
        """The parameters that a gradient has come to by now, or that an optimiser holds.

        Those of a target network may require gradients as well. Without any, all that do.
        """
        ...

    @property
    def turned(self) -> frozenset[str]:
        """The matrices that make units along their second axis, as those of embeddings do."""
        ...

    @property
    def layers(self) -> Mapping[str, tuple[int, int]]:
        """The matrices of linear, convolution, embedding and recurrent modules.

        With each comes the axis along which it makes units, and how many those are.
        """
        ...

    @property
    def sharded(self) -> bool:
        """Whether ranks hold parameters in parts."""
        ...

    @property
    def on_gpu(self) -> bool:
        """Whether the machine may add in another order each time."""
        ...

    @property
    def compiles(self) -> bool:
        """Whether its steps are compiled by something that runs nothing through modes."""
        ...

    @property
    def asks_to_compile(self) -> bool:
        """Whether a module of the model was to be compiled in place, be it done or not."""
        ...

    @property
    def loss(self) -> float | None:
        """The sum of the last step's losses; None if it had none."""
        ...

    def loss_sums(self) -> list[float]:
        """Return the sum of all entries of each loss of the last step."""
        ...

    def state(self, *, copy: bool = True) -> dict[str, Array]:
        """Return all floating-point arrays, by name; float32 or float64.

        Optimisers make their arrays in the first step, so that there are more after it. Without
        ``copy`` the next step may change what is returned.
        """
        ...

    def leaves(self, names: Container[str] | None = None) -> dict[str, Array]:
        """Return copies of the arrays that units may lie in, or those of these names.

        They are the parameters and the model's buffers.
        """
        ...

    def parameter_arrays(self) -> dict[str, Array]:
        """Return copies of the parameters alone."""
        ...

    def load(self, state: State) -> None:
        """Write arrays into those of these names; others stay."""
        ...

    def precision(self) -> dict[str, float]:
        """Return the eps of each array of the state, in the dtype that it really has."""
        ...

    def reseed(self, seed: int) -> None:
        """Go on with the random numbers of a seed, however many the function has drawn."""
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
        """Yield the state after each of so many further steps."""
        ...

    def rehearse(
        self, backwards: int, grads: int, gradient: float | None = None, *, whole: bool = False
    ) -> None:
        """Take the next step up to its losses, so that no gradient and no update comes of it.

        Parameters
        ----------
        backwards, grads
            How often the step asks for gradients when it is taken as it is. It ends there.
        gradient
            What is left in each entry of the gradients, for steps that do something with them.
        whole
            Whether the step goes on all the same. Then it writes into nothing that runs are
            compared by.
        """
        ...

    def trace(self, names: Container[str], step: Callable[[], None], steps: int) -> Trace:
        """Return the trace of so many steps, each taken by a call of ``step``.

        Its leaves are those of these names, its loss is the weighted sum of all losses.
        """
        ...

    def samples(self) -> int | None:
        """Return how many samples each batch has; None if that is not known to be one number."""
        ...

    def follow_samples(self, count: int) -> Mapping[str, bool]:
        """Put what steps draw for each of so many samples in the order of the samples.

        Returns what is seen in the steps that follow, by the user's line: whether all that is drawn
        there for samples is put in their order.
        """
        ...

    def padding(self, steps: int) -> str:
        """Say why nothing that a mask hides can be replaced in so many batches; nothing if it can.

        No step is taken.
        """
        ...

    def replace_hidden(self, *, look: bool = False) -> Mapping[str, bool]:
        """Hide other tokens in the steps that follow.

        With ``look`` it is seen how hidden tokens are known beside the mask: what is returned says
        so once the steps are taken, and whether that is right.
        """
        ...

    def level(self, fixed: Mapping[int, Sequence[int]]) -> None:
        """Let steps read fixed arrays as the same along these axes, or as zero without axes.

        They are given by the numbers that ``unread`` has for them.
        """
        ...

    def unread(self, steps: int) -> Sequence[Constant]:
        """Take so many steps; return the fixed arrays that are read, and by no forward."""
        ...

    @property
    def random_numbers(self) -> Mapping[str, None]:
        """What numbers these operations are given, in words."""
        ...

    def draw_alike(self) -> None:
        """Let random operations of the model draw what those of other trainings draw.

        They draw by kind and shape, in the order in which they come.
        """
        ...

    @property
    def drawn(self) -> Mapping[Any, int]:
        """How often they drew, by kind and shape, if they drew alike."""
        ...

    def nudge_by(self, seed: int) -> None:
        """Change what results in 16 bits by up to one ulp, at random."""
        ...

    def close(self) -> None:
        """Give up what the run holds beside its arrays; a closed run takes no more steps."""
        ...


@runtime_checkable
class Showing(Run, Protocol):
    """A run whose steps show what happens in them."""

    def show(self) -> Shown:
        """Take the next step; return what it shows beside the state."""
        ...


@runtime_checkable
class Turning(Run, Protocol):
    """A run that can be taken with settings of its framework turned."""

    def turned_by(self, setting: str) -> AbstractContextManager[Callable[[], bool]]:
        """Turn one while the block runs; what it yields tells whether there was one to turn."""
        ...


@runtime_checkable
class Saving(Run, Protocol):
    """A run that can be saved, and gone on with in a fresh one."""

    def save(self) -> Any:
        """Return what a training saves: copies of all state dictionaries, and random states."""
        ...

    def restore(self, saved: Any, *, gradients: bool = False) -> None:
        """Go on where another run of the same training was saved; with its gradients on request.

        Raises
        ------
        TrainingError
            If the objects do not take their state dictionaries back.
        """
        ...


@runtime_checkable
class Updating(Run, Protocol):
    """A run whose parameters are held by optimisers, with learning rates."""

    @property
    def optimizers(self) -> Mapping[str, Optimizer]:
        """The optimisers by name, in the order in which they were made."""
        ...

    @property
    def held(self) -> frozenset[str]:
        """The parameters that an optimiser holds."""
        ...

    @property
    def trainable(self) -> frozenset[str]:
        """The parameters that require a gradient."""
        ...


@runtime_checkable
class Differentiating(Run, Protocol):
    """A run that keeps the gradients of its parameters."""

    def gradients(self) -> dict[str, Array]:
        """Return copies of the gradients that there are, by the names of their parameters."""
        ...


@runtime_checkable
class Tried(Run, Protocol):
    """A run whose model can be tried beside its steps."""

    @property
    def trial(self) -> Trial:
        """Tries the model; the run is thrown away afterwards."""
        ...


@runtime_checkable
class Replicated(Run, Protocol):
    """A run on several ranks, each of which holds copies of the parameters."""

    def digests(self) -> dict[str, str]:
        """Return a digest of each parameter that is a copy."""
        ...

    def gathered(self, mine: dict[str, str]) -> list[dict[str, str]]:
        """Return the digests of all ranks."""
        ...


@runtime_checkable
class LossProbed(Run, Protocol):
    """A run whose losses and module calls are seen, and may be given other numbers."""

    @property
    def loss_probe(self) -> LossProbe:
        """Sees the steps that are taken while one of its blocks runs."""
        ...
