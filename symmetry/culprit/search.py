"""From a trainer to the operation that breaks its symmetry.

First the step is run as ever, to learn whether and when its weights break. Then it is run again
and again up to that iteration, each time watched for something else: its operations and their
shapes (also with more hidden units), its suspects, whether one suspect alone is enough, and the
operands of the one that is.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from symmetry.culprit import facts
from symmetry.culprit.axes import Axes
from symmetry.culprit.call import Observer
from symmetry.culprit.culprit import describe
from symmetry.culprit.detect import Detector
from symmetry.culprit.explanation import Culprit, Explanation, Named, Outcome, Weight
from symmetry.culprit.layout import MORE, Firsts, alike
from symmetry.culprit.start import Start
from symmetry.culprit.story import named
from symmetry.culprit.suspect import Suspect
from symmetry.culprit.tape import Tape
from symmetry.culprit.trial import run, seeded, watch, weights_layouts
from symmetry.errors import SymmetryError
from symmetry.targets.trainer import Trainer, TrainerError

Floats = NDArray[np.floating[Any]]
Weights = tuple[Floats, Floats]
Watching = TypeVar("Watching", bound=Observer)

_MOST_DESCRIBED = 3


def explain(trainer: Trainer, start: Start) -> Explanation:
    """Find the operation that breaks the symmetry of a trainer's step, if one does.

    Parameters
    ----------
    trainer
        Whose step is observed.
    start
        The data, the weights to start from, and how many iterations to go. Hidden units that start
        alike are expected to stay alike.

    Raises
    ------
    SymmetryError
        When the step raises or does not return weights, or no two units start alike.
    """
    firsts = first_alike(start.w1, start.w2)
    if (firsts == np.arange(len(firsts))).all():
        raise SymmetryError("no two hidden units start alike, so there is no symmetry to break")
    try:
        found, steps, moved = _first_break(trainer, start, firsts)
        if found is not None:
            with seeded(trainer):  # replaying an operation may draw random numbers
                return _Search(trainer, firsts, found, steps).explain(start)
        if not moved and not (start.w1.any() or start.w2.any()):
            again = explain(trainer, start.with_equal_units())
            remark = "from zero weights nothing moves, so the units started equal but not at zero"
            return replace(again, remarks=(remark, *again.remarks))
        return _nothing_broke(trainer, replace(start, iterations=1), steps)
    except TrainerError as error:
        raise SymmetryError(f"{trainer.name}: {error}") from error


def first_alike(w1: Floats, w2: Floats) -> Firsts:
    """Return for each hidden unit the first one with the same weights."""
    rows = np.ascontiguousarray(np.concatenate([w1.T, w2[1:]], axis=1) + 0)
    seen: dict[bytes, int] = {}
    return np.array([seen.setdefault(row.tobytes(), unit) for unit, row in enumerate(rows)])


@dataclass(frozen=True, eq=False)
class _Break:
    """The first iteration after which hidden units differ, and the weights before and after it."""

    iteration: int
    before: Weights
    after: Weights


def _is_broken(weights: Weights, firsts: Firsts) -> bool:
    layouts = weights_layouts(len(firsts))
    return not all(alike(w, layout, firsts) for w, layout in zip(weights, layouts, strict=True))


def _first_break(trainer: Trainer, start: Start, firsts: Firsts) -> tuple[_Break | None, int, bool]:
    """Train unobserved; return the first break, the steps compared, and whether units moved.

    The first iteration with a number that is not finite is the last one compared.
    """
    before, steps, moved = (start.w1, start.w2), 0, False
    for after in run(trainer, start):
        steps += 1
        moved = moved or bool((after[0] != start.w1).any() or (after[1][1:] != start.w2[1:]).any())
        if _is_broken(after, firsts):
            return _Break(steps, before, after), steps, moved
        if not all(np.isfinite(matrix).all() for matrix in after):
            break
        before = after
    return None, steps, moved


def _nothing_broke(trainer: Trainer, start: Start, steps: int) -> Explanation:
    """Say what can be seen of a step that is symmetric."""
    eye = _Eye(trainer)
    _, tape = eye.watch(start, Tape())
    remarks = list(eye.remarks)
    if tape.unseen is not None:
        remarks.append(
            "not all of the step can be observed: a compiled core is one operation to this command "
            f"(its trace is taken up again by {tape.unseen})"
        )
    return Explanation(
        trainer.name, "nothing broke", steps, observed=len(tape.events), remarks=tuple(remarks)
    )


class _Eye:
    """Watches a trainer, with arrays that report if the step takes them."""

    def __init__(self, trainer: Trainer) -> None:
        self._trainer = trainer
        self._arrays: bool | None = None  # whether it does, once that is known
        self.remarks: list[str] = []

    def watch(self, start: Start, observer: Watching) -> tuple[Weights, Watching]:
        """Return the weights at the end, and the observer that saw it all."""
        if self._arrays is None:
            return self._try(start, observer)
        return watch(self._trainer, start, observer, arrays=self._arrays)[-1], observer

    def _try(self, start: Start, observer: Watching) -> tuple[Weights, Watching]:
        """Find out whether the step takes arrays that report."""
        fresh = deepcopy(observer)
        try:
            weights = watch(self._trainer, start, observer)[-1]
            self._arrays = True
        except TrainerError:
            self._arrays = False
            self.remarks.append(
                "the step does not take a subclass of NumPy's arrays, "
                "so what it does with NumPy was observed only where it makes arrays itself"
            )
            observer = fresh
            weights = watch(self._trainer, start, observer, arrays=False)[-1]
        return weights, observer


class _Search:
    """The runs that look for the operation behind one break."""

    def __init__(self, trainer: Trainer, firsts: Firsts, found: _Break, steps: int) -> None:
        self._trainer = trainer
        self._firsts = firsts
        self._found = found
        self._steps = steps
        self._eye = _Eye(trainer)
        self._remarks: list[str] = []

    def explain(self, start: Start) -> Explanation:
        """Return what was found."""
        window, tape, broke = self._window(start)
        if not broke:
            compiled = any(event.library == "jax" for event in tape.events)
            return self._result("compiled" if compiled else "not while observed", tape)
        axes = self._axes(window, tape)
        detector = Detector(axes, self._firsts)
        mended = not self._breaks(window, detector)
        cut = any(f.origin == "cut" for suspect in detector.suspects for f in suspect.foreign)
        if cut or not mended:  # padding may hide which axis grows with a few more units
            axes = self._axes(window, tape, doubled=True)
            detector = Detector(axes, self._firsts)
            mended = not self._breaks(window, detector)
        self._remark_on(axes, tape)
        groups = self._groups(detector)
        if not groups:
            return self._result("lost", tape)
        needed = self._needed(window, axes, groups) if mended else groups[:1]
        if not mended:
            self._remarks.append(
                "the step breaks even if all that was found is mended: "
                "code that cannot be observed breaks it as well"
            )
        weight: Weight = "unknown" if not mended else "all" if len(needed) == 1 else "enough"
        mending = frozenset(suspect.index for group in needed for suspect in group)
        spared = frozenset(s.index for s in detector.suspects) - mending
        first = [group[0] for group in needed]
        return replace(
            self._result("explained", tape),
            culprits=tuple(
                self._describe(window, axes, detector, suspect, spared, weight)
                for suspect in first[:_MOST_DESCRIBED]
            ),
            further=tuple(named(detector.steps[s.index]) for s in first[_MOST_DESCRIBED:]),
        )

    def _describe(
        self,
        window: Start,
        axes: Axes,
        detector: Detector,
        suspect: Suspect,
        spared: frozenset[int],
        weight: Weight,
    ) -> Culprit:
        """Run with the other culprits mended, and look closely at this one."""

        def record(captured: frozenset[int]) -> Detector:
            left = spared | {suspect.index}
            recorder = Detector(axes, self._firsts, spared=left, captured=captured)
            return self._eye.watch(window, recorder)[1]

        earlier = self._found.iteration - window.iterations
        return describe(
            record, detector.steps, suspect, self._firsts, weight=weight, earlier=earlier
        )

    def _needed(
        self, window: Start, axes: Axes, groups: Sequence[list[Suspect]]
    ) -> list[list[Suspect]]:
        """Return the suspects that have to be mended for the step to stay symmetric.

        Whatever need not be mended is left alone from then on. The later ones are tried first:
        while all earlier ones are mended, what a later one does is its own doing.
        """
        needed: list[list[Suspect]] = []
        spared: frozenset[int] = frozenset()
        waiting = [list(groups)]
        while waiting:
            some = waiting.pop()
            more = spared | {suspect.index for group in some for suspect in group}
            if not self._breaks(window, Detector(axes, self._firsts, spared=more)):
                spared = more
            elif len(some) == 1:
                needed.insert(0, some[0])
            else:
                half = len(some) // 2
                waiting += [some[:half], some[half:]]
        return needed

    @staticmethod
    def _groups(detector: Detector) -> list[list[Suspect]]:
        """Return the suspects in the order of the run, those of one line of code together."""
        groups: dict[Named, list[Suspect]] = {}
        for suspect in sorted(detector.suspects, key=lambda suspect: suspect.index):
            groups.setdefault(named(detector.steps[suspect.index]), []).append(suspect)
        return list(groups.values())

    def _window(self, start: Start) -> tuple[Start, Tape, bool]:
        """Return the shortest run that breaks while it is watched, and its operations."""
        whole = replace(start, iterations=self._found.iteration)
        windows = [whole]
        if self._found.iteration > 1 and not inspect.isclass(self._trainer.target):
            w1, w2 = self._found.before
            windows.insert(0, replace(start, w1=w1, w2=w2, iterations=1))
        for window in windows:
            weights, tape = self._eye.watch(window, Tape())
            if _is_broken(weights, self._firsts):
                return window, tape, True
        return whole, tape, False

    def _axes(self, window: Start, tape: Tape, *, doubled: bool = False) -> Axes:
        """Run with more hidden units, to see which axes grow."""
        larger = self._events(window.with_units(MORE))
        twice = self._events(window.with_units(window.hidden)) if doubled else None
        (n, i), c = window.x.shape, window.y.shape[1]
        return Axes(tape.events, larger, twice, window.hidden, (n, i, i + 1, c))

    def _remark_on(self, axes: Axes, tape: Tape) -> None:
        """Say what is not as certain, or not as usual, as one would think."""
        if any(event.library == "jax" for event in tape.events):
            self._remarks.append("JAX's operations were evaluated one by one, not compiled")
        if axes.unmatched == len(tape.events) > 0:
            self._remarks.append(
                "the step does not run with more hidden units, "
                "so their axes were told by their length alone"
            )
        elif axes.unmatched:
            self._remarks.append(
                f"{axes.unmatched} of {len(tape.events)} operations are done only with this number "
                "of hidden units: their axes were told by their length alone"
            )

    def _events(self, start: Start) -> Sequence[Any] | None:
        try:
            return self._eye.watch(start, Tape())[1].events
        except TrainerError:
            return None

    def _breaks(self, window: Start, observer: Observer) -> bool:
        return _is_broken(self._eye.watch(window, observer)[0], self._firsts)

    def _result(self, outcome: Outcome, tape: Tape) -> Explanation:
        w1, w2 = self._found.after
        first, second = weights_layouts(len(self._firsts))
        in_w1 = not alike(w1, first, self._firsts)
        return Explanation(
            self._trainer.name,
            outcome,
            self._steps,
            self._found.iteration,
            "w1" if in_w1 else "w2",
            facts.asymmetry(w1, first, self._firsts)
            if in_w1
            else facts.asymmetry(w2, second, self._firsts),
            len(tape.events),
            remarks=(*self._eye.remarks, *self._remarks),
        )
