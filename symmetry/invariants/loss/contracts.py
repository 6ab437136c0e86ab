"""The domain of each loss function, and in words the faults of arguments outside of it.

Only arguments that depend on what is trained are judged. Probabilities are recognised by their
numbers: they are at least zero and sum to one, and in float64 the outputs of a linear layer do not
do so by chance.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from symmetry.law.measurement import MIXING_SOFTMAX
from symmetry.training.losses import Argument, LossCall

_LEAST = -1e-3  # what is below it is negative by more than rounding
_INF = math.inf


@dataclass(frozen=True)
class Fault:
    """A fault of an argument of a loss."""

    argument: str  # its name
    text: str  # what is wrong, why that is certain, and the cure
    certain: bool = True  # whether no sound step does so; else it is usually a mistake
    mechanism: str = ""  # see ``Violation``


def faults_of(call: LossCall) -> Iterator[Fault]:
    """Yield the faults of one call of a loss."""
    for judge in _JUDGES.get(call.function, ()):
        yield from judge(call)


def made_by(argument: Argument) -> str:
    """Return the operation that computed an argument, before any change of its shape."""
    return next((maker for maker in argument.makers if maker != "view"), "")


def _cross_entropy(call: LossCall) -> Iterator[Fault]:
    scores, axis = call.arguments["input"], _class_axis(call)
    if not scores.trained:
        return
    if scores.shape[axis] == 1:
        yield Fault("input", _ONE_CLASS)
    elif axis in scores.probabilities:
        yield Fault("input", _SOFTMAX_TWICE)
    elif other := _other_axis(scores.probabilities or scores.log_probabilities, axis):
        yield _wrong_axis("cross_entropy", other, axis)
    elif made_by(scores) == "sigmoid":
        yield Fault("input", _SIGMOID_AS_LOGITS)
    elif bound := _BOUNDED.get(made_by(scores)):
        yield Fault("input", _BOUNDED_LOGITS.format(bound=bound), certain=False)


def _nll_loss(call: LossCall) -> Iterator[Fault]:
    scores, axis = call.arguments["input"], _class_axis(call)
    linear = made_by(scores) == "linear"
    if not scores.trained or scores.shape[axis] == 1 or axis in scores.log_probabilities:
        return
    if axis in scores.probabilities:
        yield Fault("input", _NO_LOGARITHM)
    elif other := _other_axis(scores.log_probabilities, axis):
        yield _wrong_axis("nll_loss", other, axis)
    else:
        origin = "the output of a linear layer" if linear else "numbers"
        text = _NOT_NORMALISED.format(loss="nll_loss", origin=origin)
        yield Fault("input", text, certain=linear)


def _wrong_axis(loss: str, other: str, axis: int) -> Fault:
    """Return the fault that a softmax runs over another axis than the classes."""
    cure = _AXIS_CURES[loss].format(axis=axis)
    text = _WRONG_AXIS.format(loss=loss, other=other, axis=axis, cure=cure)
    return Fault("input", text, mechanism=MIXING_SOFTMAX)


def _ctc_loss(call: LossCall) -> Iterator[Fault]:
    scores = call.arguments["log_probs"]
    if scores.trained and len(scores.shape) - 1 not in scores.log_probabilities:
        yield Fault("log_probs", _NOT_NORMALISED.format(loss="ctc_loss", origin="numbers"))


def _sigmoid_inside(call: LossCall) -> Iterator[Fault]:
    scores = call.arguments["input"]
    if scores.trained and made_by(scores) in ("sigmoid", "softmax"):
        text = _SIGMOID_TWICE.format(loss=call.function, maker=made_by(scores))
        yield Fault("input", text)


def _categorical(call: LossCall) -> Iterator[Fault]:
    logits = call.arguments["logits"]
    if logits.trained and len(logits.shape) - 1 in logits.probabilities:
        yield Fault("logits", _PROBABILITIES_AS_LOGITS)


def _bernoulli(call: LossCall) -> Iterator[Fault]:
    logits = call.arguments["logits"]
    if logits.trained and made_by(logits) in ("sigmoid", "softmax"):
        yield Fault("logits", _BERNOULLI_TWICE.format(maker=made_by(logits)))


def _swapped(call: LossCall) -> Iterator[Fault]:
    """Judge targets that are trained, and beyond 0 and 1: the outputs of the model are logits."""
    labels, outputs = call.arguments["input"], call.arguments["target"]
    bounded = made_by(outputs) in _RANGES or 0 <= outputs.least <= outputs.most <= 1
    if outputs.trained and not labels.trained and not bounded:
        yield Fault("target", _SWAPPED.format(loss=call.function, output=outputs))


def _binary_targets(call: LossCall) -> Iterator[Fault]:
    """Judge whole targets; soft ones beyond 0 and 1 are used on purpose, in GANs."""
    target = call.arguments["target"]
    outside = not 0 <= target.least <= target.most <= 1
    if call.arguments["input"].trained and target.whole and outside:
        yield Fault("target", _NO_CLASSES.format(loss=call.function, target=target))


def _kl_div(call: LossCall) -> Iterator[Fault]:
    scores, target = call.arguments["input"], call.arguments["target"]
    logarithms = bool(call.options.get("log_target"))
    if not (scores.trained or target.trained):
        return
    if scores.probabilities:
        yield Fault("input", _KL_INPUT)
    if target.least < _LEAST and not logarithms:
        yield Fault("target", _KL_TARGET)
    if target.probabilities and logarithms:
        yield Fault("target", _KL_LOG_TARGET)


def _plus_minus(call: LossCall) -> Iterator[Fault]:
    target = call.arguments["target"]
    if target.whole and (target.least, target.most) == (0, 1):
        yield Fault("target", _ZERO_ONE.format(loss=call.function))


def _elementwise(call: LossCall) -> Iterator[Fault]:
    """Judge targets that the last activation cannot reach."""
    output, target = call.arguments["input"], call.arguments["target"]
    least, most = _RANGES.get(made_by(output), (-_INF, _INF))
    reachable = target.trained or (least <= target.least and target.most <= most)
    if output.trained and not reachable:
        bound = _BOUNDED[made_by(output)]
        text = _OUT_OF_REACH.format(loss=call.function, bound=bound, target=target)
        yield Fault("target", text, certain=False)


def _goal(call: LossCall) -> Iterator[Fault]:
    """Judge goals with a gradient: residual gradients are meant in few algorithms."""
    if call.bootstrapped:
        yield Fault(call.bootstrapped, _BOOTSTRAPPED, certain=False)


def _class_axis(call: LossCall) -> int:
    """Return the axis of the classes: the one that the call names, or else PyTorch's."""
    usual = 1 if len(call.arguments["input"].shape) > 1 else 0
    return int(call.options.get("axis", usual))


def _other_axis(axes: frozenset[int], axis: int) -> str:
    """Return the axis that is normalised instead of the classes; nothing if no axis is."""
    return "" if axis in axes or not axes else str(min(axes))


_RANGES = {"relu": (0.0, _INF), "sigmoid": (0.0, 1.0), "softmax": (0.0, 1.0), "tanh": (-1.0, 1.0)}
_BOUNDED = {"relu": "a ReLU", "sigmoid": "a sigmoid", "softmax": "a softmax", "tanh": "a tanh"}

_ONE_CLASS = (
    "cross_entropy is given one class, so it is always zero: use "
    "binary_cross_entropy_with_logits, or one output for each class"
)
_SOFTMAX_TWICE = (
    "cross_entropy is given probabilities (they are positive and sum to one over the classes) and "
    "applies softmax to them again: give it the logits"
)
_WRONG_AXIS = (
    "what {loss} is given is normalised along axis {other}, but the classes lie along axis {axis}: "
    "a softmax runs over the wrong axis, and outputs of different samples depend on each other. "
    "{cure}"
)
_AXIS_CURES = {
    "cross_entropy": "Leave it out: cross_entropy takes the logits",
    "nll_loss": "Let it run over axis {axis}, or use cross_entropy with the logits",
}
_SIGMOID_AS_LOGITS = (
    "cross_entropy is given the output of a sigmoid and applies softmax to it: give it the logits, "
    "or use binary_cross_entropy_with_logits where classes do not exclude each other"
)
_BOUNDED_LOGITS = (
    "cross_entropy is given the output of {bound}, which bounds the logits: give it the output of "
    "the last layer itself"
)
_NO_LOGARITHM = (
    "nll_loss is given probabilities (they are positive and sum to one over the classes), but it "
    "is defined on their logarithms: use log_softmax, or cross_entropy with the logits"
)
_NOT_NORMALISED = (
    "{loss} is given {origin} whose exponentials do not sum to one over the classes, but it is "
    "defined on the logarithms of probabilities: apply log_softmax over the classes first"
)
_SIGMOID_TWICE = (
    "{loss} is given the output of a {maker} and applies a sigmoid to it: give it the logits"
)
_PROBABILITIES_AS_LOGITS = (
    "Categorical(logits=...) is given probabilities (they are positive and sum to one) and applies "
    "softmax to them again: pass them as probs=..., or give it the logits"
)
_BERNOULLI_TWICE = (
    "Bernoulli(logits=...) is given the output of a {maker} and applies a sigmoid to it: pass it "
    "as probs=..., or give it the logits"
)
_NO_CLASSES = (
    "the targets of {loss} lie between {target.least:g} and {target.most:g}, but it is defined on "
    "targets from 0 to 1: outside it has no minimum"
)
_SWAPPED = (
    "{loss} takes the outputs of the model, between {output.least:.3g} and {output.most:.3g}, for "
    "its targets, and the labels for its input: exchange the two arguments"
)
_KL_INPUT = (
    "kl_div is given probabilities as its input (they are positive and sum to one), but it is "
    "defined on their logarithms there: use log_softmax"
)
_KL_TARGET = (
    "kl_div is given targets below zero, which are no probabilities: exponentiate them, or pass "
    "log_target=True if they are logarithms"
)
_KL_LOG_TARGET = (
    "kl_div is given probabilities as targets with log_target=True, which is for their logarithms: "
    "leave it out"
)
_ZERO_ONE = (
    "the targets of {loss} are 0 and 1, but it is defined on -1 and 1: with a 0 it is not the loss "
    "that is meant. Use 2 * target - 1"
)
_OUT_OF_REACH = (
    "{loss} compares the output of {bound} with targets between {target.least:.3g} and "
    "{target.most:.3g}, which it cannot reach: leave out the last activation, or scale the targets"
)
_BOOTSTRAPPED = (
    "a gradient flows through the goal of this loss, which adds numbers to a multiple of another "
    "result of the same weights, as rewards to the values of the next states: the goal moves "
    "towards the output. Compute the goal without a gradient, unless both are meant to move"
)
_JUDGES: dict[str, tuple[Callable[[LossCall], Iterator[Fault]], ...]] = {
    "Bernoulli": (_bernoulli,),
    "Categorical": (_categorical,),
    "binary_cross_entropy": (_swapped, _binary_targets),
    "binary_cross_entropy_with_logits": (_swapped, _sigmoid_inside, _binary_targets),
    "cross_entropy": (_swapped, _cross_entropy),
    "ctc_loss": (_ctc_loss,),
    "kl_div": (_kl_div,),
    "nll_loss": (_nll_loss,),
    **dict.fromkeys(
        (
            "cosine_embedding_loss",
            "hinge_embedding_loss",
            "margin_ranking_loss",
            "soft_margin_loss",
        ),
        (_plus_minus,),
    ),
    **dict.fromkeys(("huber_loss", "l1_loss", "mse_loss", "smooth_l1_loss"), (_elementwise, _goal)),
}
