"""The invariants of trainings, each in one entry: what it says, why, and its measure.

An invariant is measured on a start of a training in one precision.
"""

from dataclasses import dataclass, replace
from functools import partial
from itertools import starmap
from typing import ClassVar

from symmetry.base import ranks
from symmetry.invariants import (
    batches,
    devices,
    gradient,
    micro_batches,
    pins,
    replicas,
    resume,
)
from symmetry.invariants.loop.judgement import Law, measured
from symmetry.invariants.loop.laws import LAWS as LOOP_LAWS
from symmetry.invariants.loop.laws import OF_FUNCTIONS
from symmetry.invariants.losses import inputs, next_token, padding, pairs, scaling
from symmetry.invariants.model import evaluation, functions
from symmetry.invariants.model import samples as model_samples
from symmetry.invariants.movement.finite import finite
from symmetry.invariants.movement.frozen import frozen
from symmetry.invariants.movement.inplace import inplace
from symmetry.invariants.movement.moves import moves
from symmetry.invariants.movement.zero_rate import zero_rate
from symmetry.invariants.stuck import stuck
from symmetry.invariants.unread import unless_initialised, unless_unread
from symmetry.law import equivariance
from symmetry.law.invariant import Invariant, Statement
from symmetry.law.statements import CLONES, PERMUTATION, REPEATABLE, SAMPLES
from symmetry.units.dtypes import DTYPES

_WRITTEN, _PROMOTED = ("float32",), ("float64",)


@dataclass(frozen=True, kw_only=True)
class TrainingInvariant(Invariant):
    """One statement that holds for every sound training.

    Attributes
    ----------
    dtypes
        Precisions in which it is judged: ``"float32"`` is as written, ``"float64"`` promoted.
    ranks
        Whether it compares ranks: with one rank it is checked only if it is selected.
    explains_loss
        Whether it names the reason if the loss of the first steps is not finite: then nothing else
        can be judged.
    runs
        Number of runs that it compares, without the runs that measure the response.
    copies
        Peak memory in copies of the state, as measured on a GPT.
    cheap
        Whether it needs few runs, so that it is checked at every size that is drawn.
    scripts
        Whether it says nothing of functions, only of scripts.
    """

    noun: ClassVar[str] = "training"

    dtypes: tuple[str, ...] = DTYPES
    ranks: bool = False
    explains_loss: bool = False
    runs: int = 2
    copies: int = 3
    cheap: bool = False
    scripts: bool = False


def _setting(
    name: str,
    words: str,
    has: str,
    reason: str,
    *,
    default: bool = True,
    targets: str = "PyTorch trainings",
) -> TrainingInvariant:
    """Return the invariant that a setting does not matter."""
    return TrainingInvariant(
        name=f"training/{name}",
        statement=f"a run {words} is the same",
        reason=reason,
        witness="a state that moved",
        targets=targets,
        failure="depends on what must not matter",
        example=f"The training is run {words}, and as it is written. After each step the states "
        "have to be the same, up to rounding. To see whether it is the setting, change it in the "
        "training itself.",
        measure=partial(resume.unaffected, setting=name, words=words, has=has),
        compared="response",
        default=default,
        dtypes=_WRITTEN,
        copies=8,
    )


def _loop(law: Law, said: Statement) -> TrainingInvariant:
    """Return a law of the loop as an invariant: it is judged on one run over whole epochs."""
    functions = law in OF_FUNCTIONS
    return TrainingInvariant(
        **vars(said),
        measure=measured(law, functions),
        dtypes=_WRITTEN,
        runs=1,
        scripts=not functions,
    )


CATALOGUE: tuple[TrainingInvariant, ...] = (
    TrainingInvariant(
        name="training/replicas",
        statement="after every step all ranks hold the same replicated parameters",
        reason="each starts from the same parameters and makes the same updates",
        witness="two ranks, and something that moved",
        targets="PyTorch trainings",
        measure=replicas.replicas,
        dtypes=_WRITTEN,
        runs=1,
        stops="its ranks do not hold the same parameters",
        ranks=True,
    ),
    TrainingInvariant(
        **vars(REPEATABLE),
        stops="the training does not repeat itself",
        cheap=True,
        measure=equivariance.repeatable,
        runs=3,
    ),
    TrainingInvariant(
        **vars(PERMUTATION),
        cheap=True,
        measure=unless_initialised(unless_unread(equivariance.permutation)),
        compared="response",
        units=True,
        copies=8,
    ),
    TrainingInvariant(
        **vars(CLONES),
        measure=unless_initialised(unless_unread(equivariance.clones)),
        compared="response",
        units=True,
        runs=1,
        copies=16,
    ),
    TrainingInvariant(
        **vars(SAMPLES),
        cheap=True,
        measure=batches.samples,
        compared="response",
        copies=8,
    ),
    TrainingInvariant(
        name="symmetry/micro-batches",
        statement="exchanging samples between the micro-batches of an update changes nothing "
        "(float64)",
        reason="their gradients are added up as if they were one batch",
        witness="an update after several backwards, of as many batches; a state that moved",
        targets="PyTorch scripts",
        measure=micro_batches.micro_batches,
        compared="response",
        dtypes=_PROMOTED,
        copies=8,
    ),
    TrainingInvariant(
        name="symmetry/stuck",
        statement="the units of a layer do not all stay copies of one unit (float64)",
        reason="units that start at random, or are drawn apart, become different",
        witness="equal units that are trained",
        targets="PyTorch and JAX trainings",
        measure=stuck,
        dtypes=_PROMOTED,
        units=True,
        runs=1,
    ),
    _setting(
        "eager",
        "without torch.compile",
        "part that is compiled",
        "a compiler keeps what the code computes",
    ),
    _setting(
        "jit",
        "without jax.jit",
        "jax.jit",
        "a compiled step computes what its operations compute one after the other",
        targets="JAX trainings",
    ),
    _setting(
        "loops",
        "with optimisers that go through parameters in another way",
        "optimiser that can go through parameters in two ways",
        "each parameter is updated by itself",
        default=False,
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
        default=False,
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
        default=False,
    ),
    _setting(
        "threads",
        "with another number of threads",
        "threads",
        "threads share work, and only rounding depends on how",
        default=False,
    ),
    TrainingInvariant(
        name="training/padding",
        statement="what an attention mask hides changes nothing",
        reason="hidden tokens take part in no sum, and no loss is computed of them",
        witness="a hidden token, another one there, and a state that moved",
        example="Example: a mean over all places of a row, though the mask hides some.\n\nThe "
        "tokens that the attention mask hides are replaced by others. The parameters have to be "
        "the same after each step, up to rounding. Give the mask to each layer that mixes places, "
        "and leave hidden places out of sums, means and losses.",
        targets="PyTorch and JAX trainings on tokens",
        failure="reads what a mask hides",
        measure=batches.padding,
        compared="response",
        copies=8,
    ),
    TrainingInvariant(
        name="training/resume",
        statement="a saved state loaded into a fresh training continues the run with the same bits",
        reason="what a step depends on is saved, or made anew in every step",
        witness="something that moved after the reload",
        example="Example: a running mean of the loss that divides it, and that is a number of the "
        "loop.\n\nThe state dictionaries of the model, the optimisers, schedulers and scalers are "
        "saved after a step, and loaded into a fresh training, which goes on. It has to reach the "
        "same bits as the run that was not interrupted. Save what is missing, beside the others, "
        "or register it as a buffer.",
        targets="PyTorch and JAX trainings",
        notes=("training/unsaved",),
        cheap=True,
        measure=resume.resume,
        dtypes=_WRITTEN,
        copies=9,
    ),
    TrainingInvariant(
        name="training/devices",
        statement="after every step all devices hold the same copy of a replicated array",
        reason="an array is one array, wherever it lies: what differs is read from any device",
        witness="an array on several devices",
        targets="JAX trainings",
        measure=devices.devices,
        notes=("training/copies",),
        dtypes=_WRITTEN,
        runs=1,
    ),
    TrainingInvariant(
        name="training/units",
        statement="modules have as many equal units as expect_units says",
        reason="a bug in a forward makes units unequal",
        witness="a pin",
        targets="PyTorch trainings",
        measure=pins.pins,
        dtypes=_WRITTEN,
        units=True,
        runs=1,
    ),
    TrainingInvariant(
        name="training/zero-rate",
        statement="with all learning rates zero no parameter that an optimiser holds moves",
        reason="an update is a multiple of the rate",
        witness="a parameter that moves at the true rates",
        example="Example: ``parameter.data.mul_(0.99)`` beside the optimiser, a decay that no rate "
        "controls.\n\nJust before each update all learning rates are set to zero. Whatever moves "
        "then is moved by something else. Let the optimiser do it, or multiply it by the rate.",
        targets="PyTorch and JAX trainings",
        measure=zero_rate,
        dtypes=_WRITTEN,
        copies=5,
    ),
    TrainingInvariant(
        name="training/moves",
        statement="every parameter that requires a gradient and received a real one moves",
        reason="an optimiser holds what is to be trained",
        witness="an optimiser step within K",
        targets="PyTorch and JAX trainings",
        notes=(
            "loss/target",
            "loss/term",
            "model/repeated",
            "model/views",
            "training/checkpointing",
            "training/cut",
            "training/raw",
            "training/same-noise",
            "training/still",
            "training/tying",
            "training/unheld",
        ),
        cheap=True,
        measure=moves,
        dtypes=_WRITTEN,
        runs=1,
    ),
    TrainingInvariant(
        name="training/frozen",
        statement="an update leaves what requires no gradient as it is",
        reason="what is frozen is left out of the optimiser, or has no gradient",
        witness="a frozen parameter that an optimiser holds",
        targets="PyTorch trainings",
        measure=frozen,
        dtypes=_WRITTEN,
        runs=1,
    ),
    TrainingInvariant(
        name="training/finite",
        statement="losses are finite, and no update takes a gradient that is not",
        reason="what is not finite once stays so: a scaler leaves such an update out",
        witness="an optimiser step within K",
        targets="PyTorch and JAX trainings",
        cheap=True,
        measure=finite,
        dtypes=_WRITTEN,
        explains_loss=True,
        runs=1,
    ),
    TrainingInvariant(
        name="training/inplace",
        statement="a run with modules that do not work in place is the same",
        reason="what a module overwrites is read by nothing else",
        witness="a state that moved",
        targets="PyTorch trainings",
        measure=inplace,
        compared="response",
        dtypes=_WRITTEN,
        copies=8,
    ),
    TrainingInvariant(
        name="loss/inputs",
        statement="a loss gets inputs of the kind that it is defined for (float64)",
        reason="probabilities are at least zero and sum to one, logits do not by chance",
        witness="a loss of a known kind that depends on what is trained",
        targets="PyTorch and JAX trainings",
        notes=("loss/inputs",),
        cheap=True,
        measure=inputs.inputs,
        dtypes=_PROMOTED,
        runs=1,
    ),
    TrainingInvariant(
        name="loss/pairs",
        statement="it matters which label belongs to which output (float64)",
        reason="a loss that stays when the labels move by one sample can teach nothing about them",
        witness="a loss of known inputs and targets",
        targets="PyTorch and JAX trainings",
        cheap=True,
        measure=pairs.pairs,
        dtypes=_PROMOTED,
        runs=1,
    ),
    TrainingInvariant(
        name="loss/next-token",
        statement="no output sees the token that it is to predict, or a later one (float64)",
        reason="with other tokens there it could not have changed",
        witness="labels of a loss that are the tokens of a module call, some places later",
        targets="PyTorch and JAX trainings on tokens",
        notes=("loss/next-token",),
        cheap=True,
        measure=next_token.next_token,
        dtypes=_PROMOTED,
        runs=3,
    ),
    TrainingInvariant(
        name="loss/padding",
        statement="no loss counts the outputs at padding (float64)",
        reason="padding only makes rows equally long: it means nothing",
        witness="padding at the ends of rows, and a loss of classes",
        targets="PyTorch and JAX trainings on tokens",
        notes=("loss/padding", "loss/ending"),
        measure=padding.padding,
        dtypes=_PROMOTED,
        runs=3,
    ),
    TrainingInvariant(
        name="loss/scaling",
        statement="all parts of the loss grow by one factor with the number of samples (float64)",
        reason="sums and means, added up, change their balance with the size of the batch",
        witness="a sum over all samples of a batch",
        targets="PyTorch trainings; a note, no violation",
        notes=("loss/scaling",),
        measure=scaling.scaling,
        dtypes=_PROMOTED,
    ),
    TrainingInvariant(
        name="model/evaluation",
        statement="after model.eval() the model drops nothing out and writes no running statistics",
        reason="in evaluation what a model makes of a sample depends on the sample alone",
        witness="dropout or running statistics that are active in training",
        targets="PyTorch trainings",
        notes=("model/evaluation-mode", "model/kept-dropout", "model/draws"),
        measure=evaluation.evaluation,
        dtypes=_PROMOTED,
        runs=1,
    ),
    TrainingInvariant(
        name="model/samples",
        statement="what the model makes of one sample in evaluation does not depend on others",
        reason="a model is evaluated on one sample at a time, or on any batch",
        witness="two samples that differ, and outputs with an axis of the samples",
        targets="PyTorch and JAX trainings",
        notes=("model/mixed-samples",),
        cheap=True,
        measure=model_samples.samples,
        dtypes=_PROMOTED,
        runs=3,
    ),
    TrainingInvariant(
        name="model/functions",
        statement="the backward of a custom function is the derivative of its forward (float64)",
        reason="autograd multiplies by it as by a derivative",
        witness="a smooth function with a derivative of one's own, a slope above its error",
        targets="PyTorch and JAX trainings",
        measure=functions.functions,
        compared="bound",
        dtypes=_PROMOTED,
        runs=1,
    ),
    *starmap(_loop, LOOP_LAWS),
    TrainingInvariant(
        name="training/gradient",
        statement="the gradient that backward left is the loss's derivative (float64)",
        reason="it is the definition of a gradient",
        witness="a derivative above its error",
        targets="PyTorch and JAX trainings",
        measure=gradient.gradient,
        compared="bound",
        dtypes=("float64",),
        default=False,
    ),
)


def catalogue() -> tuple[TrainingInvariant, ...]:
    """Return the catalogue; several ranks are compared by default where there are several."""
    several = ranks.world() > 1
    return tuple(replace(each, default=several) if each.ranks else each for each in CATALOGUE)
