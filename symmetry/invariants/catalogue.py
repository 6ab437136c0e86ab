"""The invariants of steps and of trainings, each in one entry: what it says, why, and its measure.

An invariant is measured on a *start* of a target. Only a start that has its witness counts. That of
a two-layer step is made from a case, and ``weights`` says which cases can have it. Those that speak
of both kinds of targets are the same law on either start.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from functools import partial
from typing import Literal

from symmetry.base import ranks
from symmetry.base.errors import SymmetryError
from symmetry.invariants import batches, gradient, pins, replicas, resume, updates
from symmetry.invariants.losses import inputs, next_token, pairs, scaling
from symmetry.invariants.model import evaluation, functions
from symmetry.invariants.model import samples as model_samples
from symmetry.invariants.unread import unless_initialised, unless_unread
from symmetry.law import equivariance as law
from symmetry.law.measurement import Measurement
from symmetry.steps.invariants import network, splits, two_layer
from symmetry.steps.start import StepStart
from symmetry.training.start import TrainingStart
from symmetry.units.state import DTYPES

# Bit for bit, but +0 equals -0 and NaN equals NaN; with a float64 step, within its error bound; in
# multiples of what one ulp does to the step.
Compared = Literal["exact", "bound", "response"]
Of = Literal["steps", "trainings"]

ZERO = frozenset({"zero"})
CLONED = frozenset({"cloned"})  # clones, and units that differ
NONZERO = frozenset({"cloned", "random"})
ANY = frozenset({"zero", "cloned", "random"})
_WRITTEN, _PROMOTED = ("float32",), ("float64",)

_NORMAL = "normal for tanh and ReLU from zero weights; symmetry/clones covers it"


@dataclass(frozen=True, kw_only=True)
class OfSteps:
    """How an invariant is measured on two-layer steps."""

    measure: Callable[[StepStart], Measurement]  # what the step raises passes through
    compared: Compared = "exact"
    weights: frozenset[str] = NONZERO  # starts that can have the witness
    splits: bool = False  # violated if clones split in a run, which rounding may explain
    otherwise: str = "nothing moved"  # what is true where no case has the witness
    normal: str = ""  # where that is to be expected
    rightly: str = ""  # which sound steps violate it: it completes "a step that ..."


@dataclass(frozen=True, kw_only=True)
class OfTrainings:
    """How an invariant is measured on trainings."""

    measure: Callable[[TrainingStart], Measurement]  # what the training raises passes through
    compared: Compared = "exact"
    dtypes: tuple[str, ...] = DTYPES  # that it is judged in; "float32" is as written
    units: bool = False  # whether it speaks of equal units, which have to be found first
    on_request: bool = False  # whether it is checked only where it is asked for
    ranks: bool = False  # whether it speaks of several ranks; without any it has to be asked for
    runs: int = 2  # that it compares, the response apart
    copies: int = 3  # of the state, more than one, at its peak, as measured on a GPT


@dataclass(frozen=True, kw_only=True)
class Invariant:
    """One thing that holds of every sound target of a kind, or of both kinds."""

    name: str  # family and name, "symmetry/w1-columns"
    statement: str  # what holds, in one line
    reason: str  # why it holds
    witness: str  # what a start needs so that holding proves something
    targets: str = "any activation, loss and elementwise optimiser"  # of which it is true
    steps: OfSteps | None = None  # None where it does not speak of them
    trainings: OfTrainings | None = None

    @property
    def compared(self) -> Compared:
        """How it is compared, for steps if it speaks of them."""
        found = self.steps or self.trainings
        assert found is not None  # or it would speak of nothing
        return found.compared


def _setting(name: str, words: str, has: str, reason: str) -> Invariant:
    """Return that a setting does not matter to a training."""
    return Invariant(
        name=f"training/{name}",
        statement=f"a run {words} is the same",
        reason=reason,
        witness="a state that moved",
        targets="PyTorch trainings",
        trainings=OfTrainings(
            measure=partial(resume.unaffected, setting=name, words=words, has=has),
            compared="response",
            dtypes=_WRITTEN,
            copies=8,
        ),
    )


CATALOGUE: tuple[Invariant, ...] = (
    Invariant(
        name="symmetry/w1-columns",
        statement="from zero weights all columns of w1 stay identical, after every step",
        reason="units that are equal receive equal gradients, and an elementwise optimiser makes "
        "equal updates of them",
        witness="h >= 2, and a w1 that moved",
        steps=OfSteps(
            measure=partial(splits.from_zero, array="w1"),
            weights=ZERO,
            splits=True,
            otherwise="w1 never moved",
            normal=_NORMAL,
        ),
    ),
    Invariant(
        name="symmetry/w2-rows",
        statement="from zero weights all hidden rows of w2 stay identical, after every step",
        reason="a hidden row's gradient is made of its unit's outputs and of what all units share",
        witness="h >= 2, and hidden rows of w2 that moved",
        steps=OfSteps(
            measure=partial(splits.from_zero, array="w2"),
            weights=ZERO,
            splits=True,
            otherwise="the hidden rows of w2 never moved",
            normal=_NORMAL,
        ),
    ),
    Invariant(
        name="symmetry/clones",
        statement="units that start identical stay identical, whatever the others hold",
        reason="exchanging them leaves the start as it is, so it leaves every state as it is",
        witness="two clones that moved, and a different unit",
        steps=OfSteps(
            measure=splits.clones,
            weights=CLONED,
            splits=True,
            otherwise="there were no clones beside another unit, or they never moved",
        ),
        trainings=OfTrainings(
            measure=unless_initialised(unless_unread(law.clones)),
            compared="response",
            units=True,
            runs=1,
            copies=16,
        ),
    ),
    Invariant(
        name="symmetry/permutation",
        statement="permuting equal units before a step permutes the result and changes nothing "
        "else",
        reason="a sound step treats equal units equally; only rounding knows their order",
        witness="differing units that are rearranged, and a state that moved",
        steps=OfSteps(
            measure=law.permutation,
            compared="response",
            otherwise="all hidden units were equal, or nothing moved",
        ),
        trainings=OfTrainings(
            measure=unless_initialised(unless_unread(law.permutation)),
            compared="response",
            units=True,
            copies=8,
        ),
    ),
    Invariant(
        name="symmetry/samples",
        statement="rearranging the samples changes nothing",
        reason="the loss is a mean over samples; only rounding knows their order",
        witness="samples that differ, and a state that moved",
        targets="any step that treats its samples equally",
        steps=OfSteps(
            measure=partial(two_layer.rearranged, kind="samples"),
            compared="response",
            otherwise="all samples were equal, or nothing moved",
            rightly="draws samples, takes batches in turn, or adds noise or mixes sample by sample",
        ),
        trainings=OfTrainings(measure=batches.samples, compared="response", copies=8),
    ),
    Invariant(
        name="symmetry/inputs",
        statement="rearranging the inputs, with their rows of w1, rearranges the result and "
        "changes nothing else",
        reason="inputs are summed over, each with its own row of w1",
        witness="differing inputs that are rearranged, and weights that moved",
        targets="any step without a pattern over its inputs",
        steps=OfSteps(
            measure=partial(two_layer.rearranged, kind="inputs"),
            compared="response",
            otherwise="all inputs were equal, or nothing moved",
            rightly="drops out inputs or adds noise to them",
        ),
    ),
    Invariant(
        name="symmetry/classes",
        statement="rearranging the classes, with their columns of w2, rearranges the result and "
        "changes nothing else",
        reason="the loss treats all classes equally",
        witness="differing classes that are rearranged, and weights that moved",
        targets="any step without weights or patterns of classes",
        steps=OfSteps(
            measure=partial(two_layer.rearranged, kind="classes"),
            compared="response",
            otherwise="all classes were equal, or nothing moved",
            rightly="has weights or fixed random feedback of its own for each class",
        ),
    ),
    Invariant(
        name="symmetry/dead-inputs",
        statement="an input that is zero in every sample keeps its zero row of w1",
        reason="its row's gradient is a sum of products with zero",
        witness="a dead input, and a live one whose row moved",
        steps=OfSteps(
            measure=two_layer.dead_inputs,
            otherwise="no input was zero in every sample, or no row of another one moved",
        ),
    ),
    Invariant(
        name="symmetry/repeatable",
        statement="the same run gives the same bits: on fresh objects, and after another run",
        reason="everything random is seeded, nothing races, and nothing outlives a run",
        witness="something that moved",
        targets="any deterministic step",
        steps=OfSteps(measure=law.repeatable, weights=ANY),
        trainings=OfTrainings(measure=law.repeatable, runs=3),
    ),
    Invariant(
        name="symmetry/pure",
        statement="x and y are unchanged; shapes and dtypes of the weights are kept",
        reason="a step only reads the samples",
        witness="something that moved",
        targets="any step",
        steps=OfSteps(measure=two_layer.pure, weights=ANY),
    ),
    Invariant(
        name="network/first-step",
        statement="from zero weights the first step leaves w1 at zero and makes every hidden row "
        "of w2 half its bias row",
        reason="every hidden unit is sigmoid(0) = 1/2, and no error flows back through a w2 of "
        "zeros",
        witness="a w2 that moved",
        targets="the network of these formulas",
        steps=OfSteps(
            measure=network.first_step,
            compared="bound",
            weights=ZERO,
            otherwise="w2 never moved",
        ),
    ),
    Invariant(
        name="network/gradient",
        statement="one step from arbitrary weights equals the formulas",
        reason="it is the definition of the network's step; rounding has a provable bound",
        witness="an update larger than its bound",
        targets="the network of these formulas",
        steps=OfSteps(
            measure=network.gradient,
            compared="bound",
            otherwise="no update was larger than its bound",
        ),
    ),
    Invariant(
        name="network/collapsed",
        statement="along a run from zero weights, each step up to the one that first splits the "
        "units is the collapsed network's step",
        reason="h equal units act as one unit whose output counts h times",
        witness="an update larger than its bound",
        targets="the network of these formulas",
        steps=OfSteps(
            measure=network.collapsed,
            compared="bound",
            weights=ZERO,
            otherwise="no update was larger than its bound",
        ),
    ),
    _setting(
        "eager",
        "without torch.compile",
        "part that is compiled",
        "a compiler keeps what the code computes",
    ),
    _setting(
        "loops",
        "with optimisers that go through parameters in another way",
        "optimiser that can go through parameters in two ways",
        "each parameter is updated by itself",
    ),
    _setting(
        "scale",
        "with the loss scale times 2^-6",
        "gradient scaler",
        "gradients are divided by the scale before anything is done with them",
    ),
    _setting(
        "attention",
        "with attention by products and a softmax",
        "scaled_dot_product_attention",
        "it is another way to compute the same",
    ),
    _setting(
        "checkpoint",
        "with checkpointing that keeps instead of computing again",
        "checkpoint",
        "what is computed again is the same",
    ),
    _setting(
        "kernels",
        "with convolutions by other kernels",
        "convolutions",
        "it is another way to compute the same",
    ),
    _setting(
        "threads",
        "with another number of threads",
        "threads",
        "threads share work, and only rounding knows how",
    ),
    Invariant(
        name="training/padding",
        statement="what an attention mask hides changes nothing",
        reason="hidden tokens take part in no sum, and no loss is computed of them",
        witness="a hidden token, another one there, and a state that moved",
        targets="PyTorch trainings on tokens",
        trainings=OfTrainings(measure=batches.padding, compared="response", copies=8),
    ),
    Invariant(
        name="training/resume",
        statement="state dictionaries loaded into a fresh training continue the run with the same "
        "bits",
        reason="what a step depends on is saved, or made anew in every step",
        witness="something that moved after the reload",
        targets="PyTorch trainings",
        trainings=OfTrainings(measure=resume.resume, dtypes=_WRITTEN, copies=9),
    ),
    Invariant(
        name="training/units",
        statement="modules have as many equal units as expect_units says",
        reason="a bug in a forward makes units unequal",
        witness="a pin",
        targets="PyTorch trainings",
        trainings=OfTrainings(measure=pins.pins, dtypes=_WRITTEN, units=True, runs=1),
    ),
    Invariant(
        name="training/zero-rate",
        statement="with all learning rates zero no parameter that an optimiser holds moves",
        reason="an update is a multiple of the rate",
        witness="a parameter that moves at the true rates",
        targets="PyTorch trainings",
        trainings=OfTrainings(measure=updates.zero_rate, dtypes=_WRITTEN, copies=5),
    ),
    Invariant(
        name="training/moves",
        statement="every parameter that requires a gradient and received a real one moves",
        reason="an optimiser holds what is to be trained",
        witness="an optimiser step within K",
        targets="PyTorch trainings",
        trainings=OfTrainings(measure=updates.moves, dtypes=_WRITTEN, runs=1),
    ),
    Invariant(
        name="training/replicas",
        statement="after every step all ranks hold the same replicated parameters",
        reason="each starts from the same parameters and makes the same updates",
        witness="two ranks, and something that moved",
        targets="PyTorch trainings",
        trainings=OfTrainings(measure=replicas.replicas, dtypes=_WRITTEN, runs=1, ranks=True),
    ),
    Invariant(
        name="loss/inputs",
        statement="what reaches a loss is what the loss is defined on (float64)",
        reason="probabilities are at least zero and sum to one, logits do not by chance",
        witness="a loss of torch.nn.functional that depends on what is trained",
        targets="PyTorch trainings",
        trainings=OfTrainings(measure=inputs.inputs, dtypes=_PROMOTED, runs=1),
    ),
    Invariant(
        name="loss/pairs",
        statement="it matters which label belongs to which output (float64)",
        reason="a loss that stays when the labels move by one sample can teach nothing about them",
        witness="a loss of torch.nn.functional",
        targets="PyTorch trainings",
        trainings=OfTrainings(measure=pairs.pairs, dtypes=_PROMOTED, runs=1),
    ),
    Invariant(
        name="loss/next-token",
        statement="no output sees the token that it is to predict, or a later one (float64)",
        reason="with other tokens there it could not have changed",
        witness="labels of a loss that are the tokens of a module call, some places later",
        targets="PyTorch trainings on tokens",
        trainings=OfTrainings(measure=next_token.next_token, dtypes=_PROMOTED, runs=3),
    ),
    Invariant(
        name="loss/scaling",
        statement="all parts of the loss grow alike with the number of samples (float64)",
        reason="sums and means, added up, change their balance with the size of the batch",
        witness="a sum over all samples of a batch",
        targets="PyTorch trainings; a note, no violation",
        trainings=OfTrainings(measure=scaling.scaling, dtypes=_PROMOTED),
    ),
    Invariant(
        name="model/evaluation",
        statement="after model.eval() the model drops nothing out and writes no running statistics",
        reason="in evaluation what a model makes of a sample depends on the sample alone",
        witness="dropout or running statistics that are active in training",
        targets="PyTorch trainings",
        trainings=OfTrainings(measure=evaluation.evaluation, dtypes=_PROMOTED, runs=1),
    ),
    Invariant(
        name="model/samples",
        statement="in evaluation mode what the model makes of one sample does not depend on others",
        reason="a model is evaluated on one sample at a time, or on any batch",
        witness="two samples that differ, and outputs with an axis of the samples",
        targets="PyTorch trainings",
        trainings=OfTrainings(measure=model_samples.samples, dtypes=_PROMOTED, runs=3),
    ),
    Invariant(
        name="model/functions",
        statement="the backward of a custom function is the derivative of its forward (float64)",
        reason="autograd multiplies by it as by a derivative",
        witness="an autograd.Function of one's own that is smooth, with a slope above its error",
        targets="PyTorch trainings",
        trainings=OfTrainings(
            measure=functions.functions, compared="bound", dtypes=_PROMOTED, runs=1
        ),
    ),
    Invariant(
        name="training/gradient",
        statement="the gradient that backward left is the loss's derivative (float64)",
        reason="it is the definition of a gradient",
        witness="a derivative above its error",
        targets="PyTorch trainings",
        trainings=OfTrainings(
            measure=gradient.gradient, compared="bound", dtypes=("float64",), on_request=True
        ),
    ),
)
# Of trainings: nothing means anything if runs do not repeat; a permutation moves every unit.
_FIRST = ("symmetry/repeatable", "symmetry/permutation")
BY_NAME = {invariant.name: invariant for invariant in CATALOGUE}


def catalogue_of(kind: Of) -> tuple[Invariant, ...]:
    """Return the invariants that speak of steps, or of trainings, in the order they are checked."""
    found = [each for each in CATALOGUE if getattr(each, kind) is not None]
    first = [BY_NAME[name] for name in _FIRST if kind == "trainings"]
    return (*first, *(each for each in found if each not in first))


def select(
    only: Sequence[str] = (), skip: Sequence[str] = (), kind: Of | None = None
) -> tuple[Invariant, ...]:
    """Return the invariants whose full names match a pattern of ``only`` and none of ``skip``.

    Those that speak of a ``kind`` of targets, by default all. Without ``only`` those of trainings
    are the usual ones: not those on request, nor what speaks of several ranks where there is one.

    Raises ``SymmetryError`` if a pattern matches no name, or if nothing is left.
    """
    invariants = CATALOGUE if kind is None else catalogue_of(kind)
    what = "invariant of trainings" if kind == "trainings" else "invariant"
    names, several = [invariant.name for invariant in invariants], ranks.world() > 1
    for pattern in (*only, *skip):
        if not any(fnmatchcase(name, pattern) for name in names):
            close = [n for n in names if pattern in n] or get_close_matches(pattern, names, 1)
            hint = f", did you mean {close[0]!r}? There" if close else "; there"
            raise SymmetryError(f"no {what} matches {pattern!r}{hint} are {', '.join(names)}")

    def wanted(invariant: Invariant) -> bool:
        if only:
            return any(fnmatchcase(invariant.name, pattern) for pattern in only)
        of = invariant.trainings
        return of is None or not (of.on_request or (of.ranks and not several))

    found = tuple(
        invariant
        for invariant in invariants
        if wanted(invariant) and not any(fnmatchcase(invariant.name, pattern) for pattern in skip)
    )
    if not found:
        raise SymmetryError("the patterns to skip leave no invariant to check")
    return found
