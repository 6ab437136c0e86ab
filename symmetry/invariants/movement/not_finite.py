"""The operation that makes the first number that is not finite, found on the tape of a step.

Example: loss = (p * log(p)).sum() with an entry p = 0.

  log      its result holds -inf, its operand is finite: here -inf comes about
  mul      0 times -inf is nan
  sum      its operand holds nan, so its result is nan: the loss
  answer   sum <- mul <- log: "log returns -inf, since its argument is 0"

Infinite numbers may be wanted, as those of a mask are. Where a mask leads to nan, the answer is the
operation that makes nan of it, such as the softmax of a row that is hidden as a whole.

Its operands say why it does so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from symmetry.observe.source_line import SourceLine
from symmetry.observe.tape import Event, Tape
from symmetry.training.capabilities.observing import Recording
from symmetry.training.capabilities.step_events import StepEvents
from symmetry.training.run import Run, needed
from symmetry.units.state import Array

Arrays = Sequence[Array]
Check = Callable[[Arrays, Arrays], str]  # takes operands and results; empty if it is not the cause


def cause_of(name: str, operands: Arrays, results: Arrays) -> str:
    """Return what is certain about finite operands, as in ``its argument is 0``; or nothing."""
    found = (check(operands, results) for check in _CHECKS.get(name, ()))
    return next(filter(None, found), "")


def _last(holds: Callable[[Array], Array], text: str) -> Check:
    """Return the check whether the last operand has such an entry."""
    return lambda operands, _: text if operands and holds(operands[-1]).any() else ""


def _large(operands: Arrays, _: Arrays) -> str:
    largest = max((float(abs(array).max()) for array in operands), default=0.0)
    return f"its argument is as large as {largest:.4g}" if largest > 1 else ""


def _hidden(operands: Arrays, _: Arrays) -> str:
    hidden = operands and operands[0].ndim and (operands[0] == -np.inf).all(axis=-1).any()
    return "all entries of a row are -inf, as if a mask hides all of it" if hidden else ""


def _single(operands: Arrays, results: Arrays) -> str:
    alone = operands and operands[0].size == results[0].size
    return "it takes the spread of a single number" if alone else ""


def _ignored(operands: Arrays, _: Arrays) -> str:
    """Labels that do not count are negative: the mean is over those that do."""
    labels = [array for array in operands if array.dtype.kind == "i"]
    return "every label is ignored" if labels and (labels[0] < 0).all() else ""


def _empty(operands: Arrays, _: Arrays) -> str:
    return "" if operands else "it is of no entries"


_ZERO = _last(lambda array: array == 0, "its argument is 0")
_NEGATIVE = _last(lambda array: array < 0, "its argument is negative")
_BY_ZERO = _last(lambda array: array == 0, "it divides by 0")
_BEYOND = _last(lambda array: abs(array) > 1, "its argument is beyond 1")
_CHECKS: dict[str, tuple[Check, ...]] = {
    **dict.fromkeys(("log", "log2", "log10", "rsqrt"), (_ZERO, _NEGATIVE)),
    "log1p": (_last(lambda array: array <= -1, "its argument is -1 or less"),),
    "sqrt": (_NEGATIVE,),
    **dict.fromkeys(("div", "reciprocal"), (_BY_ZERO,)),
    **dict.fromkeys(("acos", "asin"), (_BEYOND,)),
    **dict.fromkeys(("exp", "expm1", "cosh", "sinh", "pow"), (_large,)),
    **dict.fromkeys(("softmax", "log_softmax", "logsumexp"), (_hidden,)),
    **dict.fromkeys(("std", "var"), (_single,)),
    **dict.fromkeys(("nll_loss", "nll_loss2d"), (_ignored,)),
    "mean": (_empty,),
}


# They put a number into a tensor: if it is infinite, that is wanted.
_PUT = {"masked_fill", "fill", "full", "full_like", "where", "scalar_tensor", "lift_fresh"}


@dataclass(frozen=True)
class FirstNotFinite:
    """The operation that makes the first number that is not finite."""

    # Its name without a library, such as ``log``; empty if the number comes with the data.
    name: str
    place: SourceLine  # the user's line; in a backward the line of its forward
    value: str  # ``nan``, ``inf`` or ``-inf``, whichever its results hold first in this order
    # A certain fact about its operands, as in ``its argument is 0``; empty without one.
    cause: str


@dataclass(frozen=True)
class _Link:
    """An event whose results are not finite."""

    source: FirstNotFinite  # the event as a source
    # The events that made its operands with such numbers; None for what no event made.
    nans: tuple[int | None, ...]
    infinities: tuple[int | None, ...]
    memories: tuple[int, ...]  # the blocks of memory that it wrote into


def source_of(run: Run, parameter: str) -> FirstNotFinite | None:
    """Take the next step, in which a loss or a parameter ceases to be finite; return the cause.

    It is followed back from the first loss that is not finite; if all are, from the parameter. None
    if the run cannot be recorded, or the operation was not seen.
    """
    recording = run.capability(Recording)
    if recording is None:
        return None
    links: dict[int, _Link] = {}
    ends: list[int] = []
    tape = Tape(lambda event: _add(links, event))

    def on_loss(_: Any) -> None:
        ends.extend({tape.count - 1} & links.keys())

    with needed(run, StepEvents).listening(on_loss=on_loss):
        recording.record(tape)
    for number in [] if ends else reversed(links):
        named = [recording.array_at(memory) for memory in links[number].memories]
        if any(found and found[0] == parameter.removeprefix("model.") for found in named):
            ends.append(number)
            break
    return _follow(links, ends[0]) if ends else None


def _follow(links: dict[int, _Link], number: int) -> FirstNotFinite:
    """Follow a number that is not finite back to the operation that made it."""
    link = links[number]
    if link.nans and link.source.value == "nan":
        return _made_by(links, link, link.nans)
    if not link.infinities:
        return link.source
    made = _made_by(links, link, link.infinities)
    wanted = made.name in _PUT or not made.name
    return link.source if wanted and link.source.value == "nan" else made


def _made_by(
    links: dict[int, _Link], link: _Link, makers: tuple[int | None, ...]
) -> FirstNotFinite:
    known = [maker for maker in makers if maker is not None]
    return _follow(links, min(known)) if known else FirstNotFinite("", link.source.place, "nan", "")


def _add(links: dict[int, _Link], event: Event) -> None:
    """Add an event whose results are not finite."""
    results = [array for array in event.arrays[: event.fresh] if array.dtype.kind == "f"]
    if all(np.isfinite(array).all() for array in results):
        return
    call, nans, infinities = event.call, list[int | None](), list[int | None]()
    operands = [handle.values for handle in call.operands]
    for position, (array, maker) in enumerate(zip(operands, event.makers, strict=True)):
        overwritten = position in call.written  # it holds the result by now
        made = maker if maker is not None and maker in links else None
        if array.dtype.kind == "f" and not (overwritten and made is None):
            value = (
                links[made].source.value if overwritten and made is not None else _value([array])
            )
            if value:
                (nans if value == "nan" else infinities).append(made)
    name = call.name.rpartition(".")[2].strip("_").removesuffix("_forward")
    forward = call.place.phase != "backward"
    cause = cause_of(name, operands, results) if forward and not nans else ""
    source = FirstNotFinite(name, call.place, _value(results), cause)
    links[event.number] = _Link(source, (*nans,), (*infinities,), tuple(event.memories))


def _value(arrays: list[Array]) -> str:
    """Return the first kind of number that is not finite; empty if all are."""
    if any(np.isnan(array).any() for array in arrays):
        return "nan"
    signs = {bool(sign) for a in arrays for sign in np.signbit(a[np.isinf(a)])}
    return {True: "-inf", False: "inf"}[min(signs)] if signs else ""
