"""The invariants of two-layer steps, each in one entry: what it says, why, and its measure.

An invariant is measured on the start of a case, and ``weights`` says which cases can have its
witness.
"""

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from symmetry.law import equivariance
from symmetry.law.invariant import Invariant
from symmetry.law.statements import CLONES, PERMUTATION, REPEATABLE, SAMPLES
from symmetry.steps.invariants import network, splits, two_layer

ZERO = frozenset({"zero"})
CLONED = frozenset({"cloned"})  # clones, and units that differ
NONZERO = frozenset({"cloned", "random"})
ANY = frozenset({"zero", "cloned", "random"})
ZERO_START = ("symmetry/w1-columns", "symmetry/w2-rows")
DEAD_INPUTS = "symmetry/dead-inputs"

_NORMAL = "normal for tanh and ReLU from zero weights; symmetry/clones covers it"


@dataclass(frozen=True, kw_only=True)
class StepInvariant(Invariant):
    """One statement that holds for every sound two-layer step."""

    noun: ClassVar[str] = "step"
    two_layer: ClassVar[bool] = True

    weights: frozenset[str] = NONZERO  # the kinds of starts that can have the witness
    # Whether it is violated if clones split in a run, which rounding may explain.
    splits: bool = False
    otherwise: str = "nothing moved"  # what is true where no case has the witness
    normal: str = ""  # for which sound steps that is to be expected


CATALOGUE: tuple[StepInvariant, ...] = (
    StepInvariant(
        name=ZERO_START[0],
        statement="from zero weights all columns of w1 stay identical, after every step",
        reason="units that are equal receive equal gradients, and an elementwise optimiser makes "
        "equal updates of them",
        cause="an operation treats one column of w1 in another way, or sums it in another order",
        cure="Apply the operation to all units of the layer, or to none.",
        witness="h >= 2, and a w1 that moved",
        exchanges="units",
        measure=partial(splits.from_zero, array="w1"),
        weights=ZERO,
        splits=True,
        otherwise="w1 never moved",
        normal=_NORMAL,
    ),
    StepInvariant(
        name=ZERO_START[1],
        statement="from zero weights all hidden rows of w2 stay identical, after every step",
        reason="a hidden row's gradient is made of its unit's outputs and of what all units share",
        cause="an operation treats one hidden row of w2 in another way, or sums it in "
        "another order",
        cure="Apply the operation to all units of the layer, or to none.",
        witness="h >= 2, and hidden rows of w2 that moved",
        exchanges="units",
        measure=partial(splits.from_zero, array="w2"),
        weights=ZERO,
        splits=True,
        otherwise="the hidden rows of w2 never moved",
        normal=_NORMAL,
    ),
    StepInvariant(
        **vars(CLONES),
        units=True,
        measure=splits.clones,
        weights=CLONED,
        splits=True,
        otherwise="there were no clones beside another unit, or they never moved",
    ),
    StepInvariant(
        **vars(PERMUTATION),
        units=True,
        measure=equivariance.permutation,
        compared="response",
        otherwise="all hidden units were equal, or nothing moved",
    ),
    StepInvariant(
        **vars(SAMPLES),
        measure=partial(two_layer.rearranged, kind="samples"),
        compared="response",
        otherwise="all samples were equal, or nothing moved",
        rightly="draws samples, takes batches in turn, or adds noise or mixes sample by sample",
    ),
    StepInvariant(
        name="symmetry/inputs",
        statement="rearranging the inputs, with their rows of w1, rearranges the result and "
        "changes nothing else",
        reason="inputs are summed over, each with its own row of w1",
        cause="a slice, an index or a mask depends on the number of an input",
        cure="Treat all inputs in the same way: each with its own row of w1.",
        witness="differing inputs that are rearranged, and weights that moved",
        targets="any step without a pattern over its inputs",
        exchanges="inputs",
        measure=partial(two_layer.rearranged, kind="inputs"),
        compared="response",
        otherwise="all inputs were equal, or nothing moved",
        rightly="drops out inputs or adds noise to them",
    ),
    StepInvariant(
        name="symmetry/classes",
        statement="rearranging the classes, with their columns of w2, rearranges the result and "
        "changes nothing else",
        reason="the loss treats all classes equally",
        cause="a slice, an index or a label is shifted by one class",
        cure="Treat all classes in the same way: each with its own column of w2.",
        witness="differing classes that are rearranged, and weights that moved",
        targets="any step without weights or patterns of classes",
        exchanges="classes",
        measure=partial(two_layer.rearranged, kind="classes"),
        compared="response",
        otherwise="all classes were equal, or nothing moved",
        rightly="has weights or fixed random feedback of its own for each class",
    ),
    StepInvariant(
        name=DEAD_INPUTS,
        statement="an input that is zero in every sample keeps its zero row of w1",
        reason="its row's gradient is a sum of products with zero",
        cause="an update adds noise or momentum of other rows to w1, or the bias row is not row 0",
        cure="Multiply the error by the inputs, and add nothing else to these rows.",
        witness="a dead input, and a live one whose row moved",
        measure=two_layer.dead_inputs,
        otherwise="no input was zero in every sample, or no row of another one moved",
    ),
    StepInvariant(
        **vars(REPEATABLE),
        measure=equivariance.repeatable,
        weights=ANY,
    ),
    StepInvariant(
        name="symmetry/pure",
        statement="x and y are unchanged; shapes and dtypes of the weights are kept",
        reason="a step only reads the samples",
        cause="an operation in place writes into x or y, or a constant of another dtype "
        "promotes the weights",
        cure="Copy the samples before they are changed, and give constants the dtype of the "
        "weights.",
        witness="something that moved",
        targets="any step",
        measure=two_layer.pure,
        weights=ANY,
    ),
    StepInvariant(
        name="network/first-step",
        statement="from zero weights the first step leaves w1 at zero and makes every hidden row "
        "of w2 half its bias row",
        reason="every hidden unit is sigmoid(0) = 1/2, and no error flows back through a w2 of "
        "zeros",
        cause="the hidden layer is no sigmoid, or w2 is updated before the gradient of w1 is taken",
        cure="Take both gradients from the weights before the step, with sigmoid hidden units.",
        witness="a w2 that moved",
        targets="the network of these formulas",
        measure=network.first_step,
        compared="bound",
        weights=ZERO,
        otherwise="w2 never moved",
    ),
    StepInvariant(
        name="network/gradient",
        statement="one step from arbitrary weights equals the formulas",
        reason="it is the definition of the network's step; rounding has a provable bound",
        cause="a sum in place of a mean, a transposed or a missing factor, or another loss",
        cure="Compare each factor of the update with those of the built-in step `numpy`.",
        witness="an update larger than its bound",
        targets="the network of these formulas",
        measure=network.gradient,
        compared="bound",
        otherwise="no update was larger than its bound",
    ),
    StepInvariant(
        name="network/collapsed",
        statement="along a run from zero weights, each step up to the one that first splits the "
        "units is the collapsed network's step",
        reason="h equal units act as one unit whose output counts h times",
        cause="units that are equal are summed or updated differently",
        cure="Apply the operation to all units of the layer, or to none.",
        witness="an update larger than its bound",
        targets="the network of these formulas",
        measure=network.collapsed,
        compared="bound",
        weights=ZERO,
        otherwise="no update was larger than its bound",
    ),
)
