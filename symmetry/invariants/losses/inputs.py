"""``loss/inputs``: what reaches a loss is what the loss is defined on.

Example: ``cross_entropy(softmax(scores), labels)``. The loss applies a softmax itself, so it takes
the probabilities for scores between 0 and 1: it can never come near zero, and gradients are small.
That they are probabilities is seen from the numbers: all are at least zero and sum to one, which
the outputs of a linear layer do not do by chance in float64.

Only arguments that depend on what is trained are judged. Each function below says what is wrong
with one call of the losses that it is listed for in ``_JUDGES``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from symmetry.invariants.losses.verdicts import not_applicable, note, violated
from symmetry.law.measurement import Measurement
from symmetry.training.probe import Argument, LossCall
from symmetry.training.start import TrainingStart

NAME = "loss/inputs"

_RANGES = {"relu": (0.0, float("inf")), "sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0)}


@dataclass(frozen=True)
class Fault:
    """What is wrong with an argument of a loss, in words; ``certain`` if no sound step does so."""

    argument: str
    text: str
    certain: bool = True


def inputs(start: TrainingStart) -> Measurement:
    """Judge the losses of the first steps."""
    observed = start.observed
    if observed is None or not observed.losses:
        return not_applicable("its steps call no loss function of torch.nn.functional")
    judged = [c for c in observed.losses if any(a.trained for a in c.arguments.values())]
    faults = [(call, fault) for call in judged for fault in faults_of(call)]
    notes = dict.fromkeys(note(NAME, f.text, c.place) for c, f in faults if not f.certain)
    for call, fault in faults:
        if fault.certain:
            array = f"{call.function}.{fault.argument}"
            found = violated(fault.text, call.place, array=array, step=call.step)
            break
    else:
        found = Measurement(counted=bool(judged))
    return Measurement(found.counted, violation=found.violation, notes=tuple(notes))


def faults_of(call: LossCall) -> Iterator[Fault]:
    """Yield what is wrong with one call of a loss."""
    for judge in _JUDGES.get(call.function, ()):
        yield from judge(call)


def made_by(argument: Argument) -> str:
    """Return the operation that computed an argument, whatever shape it was given since."""
    return next((maker for maker in argument.makers if maker != "view"), "")


def _class_axis(scores: Argument) -> int:
    return 1 if len(scores.shape) > 1 else 0


def _cross_entropy(call: LossCall) -> Iterator[Fault]:
    scores = call.arguments["input"]
    axis, maker = _class_axis(scores), made_by(scores)
    if not scores.trained:
        return
    if scores.shape[axis] == 1:
        text = (
            "cross_entropy is given one class, so it is always zero: use "
            "binary_cross_entropy_with_logits, or one output for each class"
        )
    elif axis in scores.probabilities:
        text = (
            "cross_entropy is given probabilities (each row is positive and sums to one) and "
            "applies softmax to them again: give it the logits"
        )
    elif scores.probabilities:
        other = min(scores.probabilities)
        text = (
            f"what cross_entropy is given sums to one along axis {other}, but the classes lie "
            f"along axis {axis}: a softmax runs over the wrong axis. Give the loss the logits, "
            "without a softmax"
        )
    elif maker == "sigmoid":
        text = (
            "cross_entropy is given the output of a sigmoid and applies softmax to it: give it "
            "the logits, or use binary_cross_entropy_with_logits where classes do not exclude "
            "each other"
        )
    elif maker in ("relu", "tanh"):
        text = (
            f"cross_entropy is given the output of {_A[maker]}, which bounds the logits: give it "
            "the output of the last layer itself"
        )
    else:
        return
    yield Fault("input", text, certain=maker not in ("relu", "tanh"))


def _nll_loss(call: LossCall) -> Iterator[Fault]:
    scores = call.arguments["input"]
    axis = _class_axis(scores)
    if not scores.trained or axis in scores.log_probabilities:
        return
    if axis in scores.probabilities:
        yield Fault(
            "input",
            "nll_loss is given probabilities, but it is defined on their logarithms: use "
            "log_softmax, or cross_entropy with the logits",
        )
    elif scores.shape[axis] > 1:
        linear = made_by(scores) == "linear"
        origin = "the output of a linear layer" if linear else "numbers"
        text = (
            f"nll_loss is given {origin} whose exponentials do not sum to one, but it is defined "
            "on the logarithms of probabilities: apply log_softmax, or use cross_entropy"
        )
        yield Fault("input", text, certain=linear)


def _sigmoid_inside(call: LossCall) -> Iterator[Fault]:
    scores = call.arguments["input"]
    maker = made_by(scores)
    if scores.trained and maker in ("sigmoid", "softmax"):
        yield Fault(
            "input",
            f"{call.function} is given the output of a {maker} and applies a sigmoid to it: give "
            "it the logits",
        )


def _binary_targets(call: LossCall) -> Iterator[Fault]:
    """Judge targets of two classes; soft ones beyond 0 and 1 are used on purpose, in GANs."""
    scores, target = call.arguments["input"], call.arguments["target"]
    if scores.trained and target.whole and not 0 <= target.least <= target.most <= 1:
        yield Fault(
            "target",
            f"the targets of {call.function} lie between {target.least:g} and {target.most:g}, "
            "but it is defined on targets from 0 to 1: it has no minimum there",
        )


def _kl_div(call: LossCall) -> Iterator[Fault]:
    scores, target = call.arguments["input"], call.arguments["target"]
    log_target = bool(call.options.get("log_target"))
    if not (scores.trained or target.trained):
        return
    if scores.probabilities:
        yield Fault(
            "input",
            "kl_div is given probabilities as its input, where it is defined on their logarithms: "
            "use log_softmax",
        )
    if not log_target and target.least < 0:
        yield Fault(
            "target",
            "kl_div is given targets below zero, which are no probabilities: exponentiate them, or "
            "pass log_target=True if they are logarithms",
        )
    if log_target and target.probabilities:
        yield Fault(
            "target",
            "kl_div is given probabilities as targets with log_target=True: leave that out, or "
            "give it their logarithms",
        )


def _ctc_loss(call: LossCall) -> Iterator[Fault]:
    scores = call.arguments["log_probs"]
    if scores.trained and len(scores.shape) - 1 not in scores.log_probabilities:
        yield Fault(
            "log_probs",
            "ctc_loss is given numbers whose exponentials do not sum to one over the classes, but "
            "it is defined on the logarithms of probabilities: apply log_softmax to the last axis",
        )


def _plus_minus(call: LossCall) -> Iterator[Fault]:
    target = call.arguments["target"]
    if target.whole and (target.least, target.most) == (0, 1):
        yield Fault(
            "target",
            f"the targets of {call.function} are 0 and 1, but it is defined on -1 and 1: where "
            "they are 0 it is not the loss that is meant. Use 2 * target - 1",
        )


def _out_of_reach(call: LossCall) -> Iterator[Fault]:
    """Judge targets that the last activation can never reach."""
    output, target = call.arguments["input"], call.arguments["target"]
    maker = made_by(output)
    least, most = _RANGES.get(maker, (-float("inf"), float("inf")))
    if output.trained and not (least <= target.least and target.most <= most):
        text = (
            f"{call.function} compares the output of {_A[maker]} with targets between "
            f"{target.least:.3g} and {target.most:.3g}, which it cannot reach: leave out the last "
            "activation, or scale the targets"
        )
        yield Fault("target", text, certain=False)


_A = {"relu": "a ReLU", "tanh": "a tanh", "sigmoid": "a sigmoid"}
_JUDGES: dict[str, tuple[Callable[[LossCall], Iterator[Fault]], ...]] = {
    "binary_cross_entropy": (_binary_targets,),
    "binary_cross_entropy_with_logits": (_sigmoid_inside, _binary_targets),
    "cosine_embedding_loss": (_plus_minus,),
    "cross_entropy": (_cross_entropy,),
    "ctc_loss": (_ctc_loss,),
    "hinge_embedding_loss": (_plus_minus,),
    "huber_loss": (_out_of_reach,),
    "kl_div": (_kl_div,),
    "l1_loss": (_out_of_reach,),
    "margin_ranking_loss": (_plus_minus,),
    "mse_loss": (_out_of_reach,),
    "nll_loss": (_nll_loss,),
    "smooth_l1_loss": (_out_of_reach,),
    "soft_margin_loss": (_plus_minus,),
}
