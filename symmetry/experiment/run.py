"""The experiment "Starting Off Wrong": one training run, and a frozen record of what happened.

A network whose weights all start at zero is trained by full-batch gradient descent. Beside it runs
the collapsed network, which is the same network as a single unit; after it a control from a random
start, whose units must come out different: a comparison that cannot fail proves nothing.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symmetry.base.memory import bytes_to_train, refuse_beyond_memory
from symmetry.base.randomness.random import Random
from symmetry.experiment.data.dataset import Dataset
from symmetry.experiment.exact import ExactInvariants, Outcome
from symmetry.experiment.settings import Settings
from symmetry.network import formulas
from symmetry.network.core import AnyCore, Core, Weights
from symmetry.network.descent import CollapsedCore, Iteration, train
from symmetry.units import compare
from symmetry.units.compare import Floats

Pair = tuple[Floats, Floats]
Doubles = NDArray[np.float64]

_COMPARED = ("loss", "w1", "w2")  # of the full and the collapsed network
_CONTROL = "control (random start)"

_RADIUS = 0.01  # a random start is uniform between minus and plus this
_POINT_SIZE = 400  # bytes that an iteration leaves behind in the history and the reports
_KEPT = 6  # of both weight matrices: the first, the last, the control's, to compare, to write
_CORE = 24  # the same, held by the core: its layouts, and a gradient for each chunk of samples
_LISTS = 3  # as large as the inputs: their nonzeros with indices, by sample and by input


@dataclass(frozen=True)
class Point:
    """Training loss and test accuracy in percent, as the original prints after each iteration."""

    iteration: int
    loss: float
    accuracy: float


# Called with the name of a part that begins; in a run also with each iteration, and the number of
# all. An exception ends the run.
Listener = Callable[[str, Point | None, int], None]


@dataclass(frozen=True, eq=False)
class Experiment:
    """The outcome; ``control`` and ``differences`` are None where that part was not run."""

    data: Dataset
    settings: Settings
    history: tuple[Point, ...]
    first: Pair  # w1 (i + 1, h) and w2 (h + 1, c) after the first iteration
    last: Pair
    confusion: NDArray[np.int64]  # test images by label and prediction at the end, shape (c, c)
    outcomes: tuple[Outcome, ...]  # of the exact invariants, over all iterations; control: none
    control: "Experiment | None"  # the same from a random start
    # How far the collapsed network ever was from the full one in "loss", "w1" and "w2": the largest
    # difference at an iteration by the largest number there, where all numbers are finite.
    differences: dict[str, float] | None

    @cached_property
    def distinct(self) -> int:
        """How many different columns the final w1 has."""
        return compare.distinct(self.last[0].T)

    @property
    def violated(self) -> bool:
        """Whether an invariant failed. A random start never counts: its units ought to differ."""
        return any(outcome.holds is False for outcome in self.outcomes)


def run_experiment(
    data: Dataset,
    settings: Settings,
    *,
    threads: int | None = None,
    listener: Listener | None = None,
) -> Experiment:
    """Train, compare at every iteration, and return the record.

    The number of ``threads`` changes the time only, never a bit; None leaves it to the core.
    """
    sizes = len(data.train_x), data.inputs, settings.hidden, data.classes
    weights = _KEPT if settings.collapsed else _KEPT + _CORE
    needed = bytes_to_train(sizes, settings.dtype, inputs=_LISTS, layers=0, weights=weights)
    refuse_beyond_memory(needed + data.classes**2 * 8 + settings.iterations * _POINT_SIZE)
    listener = listener or (lambda *_: None)
    listener("compiling the core, once", None, 0)
    prepared = cache(partial(_prepare, data, settings, threads))  # a core serves several runs
    with np.errstate(all="ignore"):  # a run may diverge; that is for the report to say
        name = "collapsed network" if settings.collapsed else f"{settings.init} start"
        return _run(name, data, settings, prepared, listener)


def _start(settings: Settings, shapes: tuple[tuple[int, ...], ...]) -> Weights:
    """Return zeros, or arrays drawn one after the other, uniform in ±0.01; both of the dtype."""
    random, radius = Random(settings.seed), 0.0 if settings.init == "zero" else _RADIUS
    return tuple(random.uniform(shape, -radius, radius).astype(settings.dtype) for shape in shapes)


def _run(
    name: str,
    data: Dataset,
    settings: Settings,
    prepared: Callable[[Any], Callable[[Weights], Iterator[Iteration]]],
    listener: Listener,
) -> Experiment:
    """Train one network; beside a full one from a zero start the collapsed one, then the control.

    The collapsed network's units are equal by construction, so while it trains two stand for all.
    The control's units need not be compared at every iteration.
    """
    zero, collapsed, hidden = settings.init == "zero", settings.collapsed, settings.hidden
    beside, few = zero and not collapsed, min(hidden, 2)
    full = (data.inputs + 1, hidden), (hidden + 1, data.classes)  # w1 and w2
    alone = (data.inputs + 1,), (data.classes,), (data.classes,)  # u, b and v
    start = _start(settings, alone if collapsed else full)
    exact = ExactInvariants(*_pair(start, few), data.never_lit, judged=zero or collapsed)
    iterations = prepared(CollapsedCore if collapsed else Core)(start)
    single_runs = prepared(CollapsedCore)(_start(settings, alone)) if beside else repeat(None)
    seen: list[Iteration] = []
    history, farthest = [], np.zeros(len(_COMPARED))
    for now, single in zip(iterations, single_runs, strict=False):
        seen = [*seen[:1], now]  # the first and the last
        correct = np.count_nonzero(now.predictions == data.test_labels)
        history.append(Point(now.iteration, now.loss, 100 * int(correct) / len(data.test_labels)))
        listener(name, history[-1], settings.iterations)
        if name != _CONTROL:
            exact.see(now.iteration, *_pair(now.weights, few))
        if single is not None:
            farthest = np.maximum(farthest, _apart(now, single))
    control = None
    if beside and settings.control:
        random = replace(settings, init="random")
        control = _run(_CONTROL, data, random, prepared, listener)
    confusion = np.zeros((data.classes, data.classes), np.int64)
    np.add.at(confusion, (data.test_labels, seen[-1].predictions), 1)
    return Experiment(
        data=data,
        settings=settings,
        history=tuple(history),
        first=_pair(seen[0].weights, hidden),
        last=_pair(seen[-1].weights, hidden),
        confusion=confusion,
        outcomes=() if name == _CONTROL else exact.outcomes(),
        control=control,
        differences=dict(zip(_COMPARED, farthest.tolist(), strict=True)) if beside else None,
    )


def _prepare(
    data: Dataset, settings: Settings, threads: int | None, kind: type[AnyCore]
) -> Callable[[Weights], Iterator[Iteration]]:
    """Prepare both sets for one kind of core; return a function that trains from given weights."""
    sets = (data.train_x, data.train_labels), (data.test_x, data.test_labels)
    options: dict[str, Any] = {"classes": data.classes, "dtype": settings.dtype, "threads": threads}
    training, test = (kind(*each, hidden=settings.hidden, **options) for each in sets)
    return lambda weights: train(training, test, weights, settings.lr, settings.iterations)


def _pair(weights: Weights, hidden: int) -> Pair:
    """Return w1 and w2; a collapsed pair is written out for all hidden units."""
    if len(weights) == 2:
        return weights[0], weights[1]
    u, b, v = weights
    return formulas.expand(u, b, v, hidden)


def _apart(full: Iteration, single: Iteration) -> Doubles:
    """Return how far the collapsed network is from the full one: in loss, w1 and w2."""
    ours = np.float64(full.loss), *full.weights
    its = np.float64(single.loss), *_pair(single.weights, full.weights[0].shape[1])
    found = np.array([_relative(*pair) for pair in zip(ours, its, strict=True)])
    return found if np.isfinite(found).all() else np.zeros_like(found)


def _relative(a: Any, b: Any) -> float:
    """Return the largest difference by the largest number: 0 where all are equal."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    difference = float(abs(a - b).max())
    return difference / max(float(abs(a).max()), float(abs(b).max())) if difference else 0.0
