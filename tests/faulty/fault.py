"""One entry of the faulty half of the zoo, and the decorator that makes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["violated", "error"]

# The mutation operators of DeepCrime (Humbatova, Jahangirova and Tonella, ISSTA 2021) that mean
# something for a full-batch step of one hidden layer. The others change a validation set, early
# stopping, a regularisation that is not here, or batches.
DEEPCRIME = {
    "TCL": "change labels of training data",
    "TRD": "remove portion of training data",
    "TUD": "unbalance training data",
    "TAN": "add noise to training data",
    "TCO": "make output classes overlap",
    "HBS": "change batch size",
    "HLR": "change learning rate",
    "HNE": "change number of epochs",
    "ACH": "change activation function",
    "ARM": "remove activation function",
    "AAL": "add activation function to layer",
    "RAW": "add weights regularisation",
    "RCD": "change dropout rate",
    "WCI": "change weights initialisation",
    "WAB": "add bias to a layer",
    "WRB": "remove bias from a layer",
    "LCH": "change loss function",
    "OCH": "change optimisation function",
    "OCG": "change gradient clipping",
}

# What hand-written training code and its kernels get wrong beside that.
OTHERS = {
    "backward": "mistake in the hand-written backward pass",
    "numerics": "formula that is right on paper only",
    "kernel": "mistake of a vectorised, tiled or reduced-precision kernel",
    "threads": "mistake that needs more than one thread",
    "state": "something that outlives the run it belongs to",
    "interface": "arguments or results not treated as agreed",
}


@dataclass(frozen=True)
class Fault:
    """A broken trainer.

    Attributes
    ----------
    name
        Says what is wrong; also the trainer's name in its module.
    trainer
        A function, or a class that is instantiated once a run.
    wrong
        What is wrong, in one sentence.
    operator
        A key of `DEEPCRIME` or `OTHERS`.
    caught_by
        The invariants that must catch it within the default budget.
    kind
        The verdict they must come to: some faults stop the step from working at all.
    varies
        Whether it does something else each time, so that which further invariants catch it is a
        matter of chance.
    """

    name: str
    trainer: Callable
    wrong: str
    operator: str
    caught_by: tuple[str, ...]
    kind: Verdict
    varies: bool


ENTRIES: list[Fault] = []


def fault(
    operator: str,
    *caught_by: str,
    wrong: str,
    kind: Verdict = "violated",
    varies: bool = False,
) -> Callable:
    """Enter the decorated trainer into the zoo and leave it as it is."""

    def enter(trainer: Callable) -> Callable:
        name = trainer.__name__
        ENTRIES.append(Fault(name, trainer, wrong, operator, caught_by, kind, varies))
        return trainer

    return enter
