"""Steps from any start, in float64 and without noise: up to their losses, without gradients.

Whole steps are only taken to see which entries of the parameters receive a gradient.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from symmetry.base.memory import refuse_beyond_memory
from symmetry.finding import actions
from symmetry.finding.trace import Trace
from symmetry.observe.torch import Recorder
from symmetry.trainings.run import Run
from symmetry.trainings.state import as_array, has_numbers, unwrapped
from symmetry.trainings.training import TrainingError, TrainingTarget
from symmetry.units.state import Array, State
from symmetry.units.units import Units

STEPS = 2  # whose batches a group has to hold on: those that the invariants of units visit
_LOSS, _NOISES = 1e-12, 30  # relative; and multiples of what one ulp in the parameters does
# What a backward leaves as gradients: a step may want some, or divide by them. And whether a step
# goes on after its last one: the next one may want what it leaves.
_WAYS = (None, False), (0.0, False), (1e-3, False), (1e-3, True)
_BYTES = 80  # at the peak, for each parameter: ten copies in float64
_SCALES = 1.0, 0.1, 0.01  # of how far the generic start is from the training's own
_MOST = 0.9  # of the entries that receive a gradient there are to receive one at the generic start


@dataclass(frozen=True)
class Outcome:
    """What the steps from one start come to: their losses, and the buffers after each."""

    losses: list[float]
    buffers: list[dict[str, Array]]


class Rehearsal:
    """A training whose first steps are taken again and again.

    Attributes
    ----------
    start
        The parameters and buffers as the training makes them, in float64; without buffers that
        change their shape.
    generic
        The same, moved so far that no two units are equal by chance: a start of zeros, for
        instance, would accept any exchange.
    trainable, turned, random, model
        Names of the parameters that are trained, and of matrices that make units along their
        second axis; name and place of the random operations inside modules; the name of the
        model's class.
    gradients
        Which entries of the parameters received a gradient in these steps as they are written;
        nothing where no backward left any.
    tolerance
        By how much an exchange may change the loss, relative.
    excused
        Buffers that need not move along with units.
    silent
        Whether the losses are all zero: nothing can be learned from them.

    Raises
    ------
    TrainingError
        When the training cannot be run, its step has no loss, or the loss is not finite.
    SymmetryError
        When there are so many parameters that memory cannot be enough.
    """

    def __init__(self, training: TrainingTarget) -> None:
        self._training = training
        real = self._run()
        refuse_beyond_memory(_BYTES * sum(p.numel() for p in real.parameters.values()))
        self.excused: set[str] = set()
        self._ends: list[tuple[int, int]] = []  # of each step
        self._traced = 1  # steps, until all parameters have had a gradient that get one
        self.gradients = self._reached(real)
        self.trainable = {*real.trained}
        later = {n: as_array(t) for n, t in leaves_of(real).items()}
        del real  # with its gradients and its optimiser's state it is as large as four copies
        run = self._run()
        leaves = leaves_of(run)
        self.start: dict[str, Array] = {n: as_array(t) for n, t in leaves.items()}
        self._buffers = [name for name in leaves if name not in run.parameters]
        self._way: tuple[float | None, bool]
        for self._way in _WAYS:
            run = self._run()
            try:
                self._at_start = self._steps(run)
            except TrainingError:
                if self._way == _WAYS[-1]:
                    raise
            else:
                if np.isfinite(self._at_start.losses).all():
                    break
        self.random = tuple(run.random)
        self.model = type(run.model).__name__
        self.turned = {
            f"model.{unwrapped(name)}.weight"
            for name, module in run.model.named_modules()
            if getattr(module, "transposed", isinstance(module, nn.Embedding | nn.EmbeddingBag))
        }
        for i, loss in enumerate(self._at_start.losses):
            if not math.isfinite(loss):
                raise TrainingError(f"{training.name}: the loss of step({i}) is {loss}")
        for name in self._buffers:  # what changes its shape has no places for units
            if any(b[name].shape != self.start[name].shape for b in self._at_start.buffers):
                del self.start[name]
        self._buffers = [name for name in self._buffers if name in self.start]
        moving = {
            name
            for name in self._buffers
            if not actions.same(self.start[name], self._at_start.buffers[0][name], 0.0)
        }
        self.generic, self._base = self.start, self._at_start
        self._leave_start({*run.parameters} | moving)
        # Where the training gets to: at its start layers of zeros hide what others do.
        self._later = {name: later.get(name, array) for name, array in self.start.items()}
        self._at_later = self._steps(self._run(self._later))
        self.silent = not any(self._base.losses)
        self.tolerance = self._measured()

    def _leave_start(self, names: set[str]) -> None:
        """Find a generic start at which most entries receive a gradient that do so at the start.

        A large move may make all samples choose one expert; at a small one units hardly matter.
        """
        most, wanted = -1, _count(self.gradients)
        for scale in _SCALES:
            generic = self._moved(names, scale)
            base = self._steps(self._run(generic))
            if np.isfinite(base.losses).all():
                try:
                    reached = _count(self._reached(self._run(generic)))
                except TrainingError:  # an update may refuse what this start leads to
                    reached = 0
                if reached > most:
                    self.generic, self._base, most = generic, base, reached
                if reached >= _MOST * wanted:
                    break

    def _reached(self, run: Run) -> dict[str, NDArray[np.bool_]]:
        """Take steps as they are written; return which entries of parameters get a gradient."""
        reached: dict[str, NDArray[np.bool_]] = {}

        def note() -> None:
            for name, parameter in run.parameters.items():
                known = reached.setdefault(name, np.zeros(parameter.shape, bool))
                if parameter.grad is not None:
                    known |= parameter.grad.to_dense().numpy() != 0

        run.after_backward = note
        ends, names = [], []
        for _ in range(STEPS):
            run.step()
            ends.append((run.backwards, run.grads))
            names.append([name for name, entries in reached.items() if entries.any()])
        run.after_backward = lambda: None  # or the run would keep itself
        if not self._ends:
            self._ends, self._traced = ends, 1 + names.index(names[-1])
        return reached

    def trace(self) -> tuple[Trace, int]:
        """Return the trace of the first steps from the generic start, and the loss's number.

        That is one step, unless parameters are trained from the second one on.
        """
        run = self._run(self.generic)
        trace, losses = Trace(self._leaves(run)), list[torch.Tensor]()
        with Recorder(trace):
            for _ in range(self._traced):
                self._step(run)
                losses += run.losses
        loss = trace.add_sum(_weighted(losses))
        trace.end(self._leaves(run))
        return trace, loss

    def _leaves(self, run: Run) -> dict[str, torch.Tensor]:
        return {name: t for name, t in leaves_of(run).items() if name in self.start}

    def _measured(self) -> float:
        """Return what one ulp in the parameters does to the loss: a group may do as much."""
        random, noises = np.random.default_rng(0), [0.0]
        for _ in range(2):
            moved = {
                n: a * (1 + 2.2e-16 * random.integers(-1, 2, a.shape))
                for n, a in self.generic.items()
            }
            noises.append(_difference(self._base, self._steps(self._run(moved))))
        return max(_LOSS, _NOISES * max(noises))

    def survivors(self, groups: Sequence[Units], kept: Sequence[Units] = ()) -> list[Units]:
        """Return the groups that hold on all batches, from both starts, all at once."""
        if not groups or self._hold([*kept, *groups]):
            return [*groups]
        if len(groups) == 1:
            return []
        half = len(groups) // 2
        left = self.survivors(groups[:half], kept)
        return left + self.survivors(groups[half:], [*kept, *left])

    def _hold(self, groups: Sequence[Units]) -> bool:
        """Return whether losses stay and buffers move along when all units are rotated.

        Where the training gets to buffers may hold nothing but rounding, such as the means of what
        has the mean zero: there the losses alone are compared.
        """
        if _difference(self._at_later, self._rotated(groups, self._later)) > self.tolerance:
            return False
        found = self._rotated(groups, self.generic)
        return _difference(self._base, found) <= self.tolerance and all(
            actions.same(array, after[name])
            for before, after in zip(self._base.buffers, found.buffers, strict=True)
            for name, array in _rotated(groups, before).items()
            if name not in self.excused
        )

    def _rotated(self, groups: Sequence[Units], start: State) -> Outcome:
        return self._steps(self._run(_rotated(groups, start)))

    def _run(self, start: State | None = None) -> Run:
        run = self._training.start(dtype="float64", noise=False)
        if start is not None:
            run.load(start)
        return run

    def _steps(self, run: Run) -> Outcome:
        outcome = Outcome([], [])
        for _ in range(STEPS):
            self._step(run)
            outcome.losses.append(
                sum(float(t.detach().double().sum()) * w for t, w in _weighted(run.losses))
            )
            leaves = leaves_of(run)  # a step may give a buffer's name to another tensor
            outcome.buffers.append({n: as_array(leaves[n]) for n in self._buffers})
        return outcome

    def _step(self, run: Run) -> None:
        """Take a step without backward."""
        gradient, whole = self._way
        run.rehearse(*self._ends[run.taken], gradient, whole=whole)
        if not run.losses:
            raise TrainingError(
                f"{self._training.name}: step({run.taken - 1}) neither calls backward() nor returns"
                " its loss"
            )

    def _moved(self, names: set[str], scale: float) -> dict[str, Array]:
        """Return the start with some arrays moved at random.

        Vectors, which may be biases, grow: it keeps units alive that a ReLU would switch off.
        Small matrices grow, too: at 0.02 a loss can hardly tell one attention head from another.
        """
        random = np.random.default_rng(0)
        moved = dict(self.start)
        for name in (name for name in self.start if name in names):
            array = self.start[name]
            factor = 1 + scale * random.uniform(-0.3, 0.3, array.shape)
            more = scale * abs(random.standard_normal(array.shape))
            if array.ndim > 1 and array.any():
                usual = 1 / math.sqrt(array[0].size)  # as layers are initialised
                factor *= max(1.0, usual / math.sqrt(np.mean(abs(array) ** 2))) ** scale
            moved[name] = array * factor + more * (0.4 if array.ndim == 1 else 0.05 * (array == 0))
        return moved


def leaves_of(run: Run) -> dict[str, torch.Tensor]:
    """Return the parameters and buffers of a run, the objects themselves, that have numbers."""
    buffers = {f"model.{unwrapped(n)}": b for n, b in run.model.named_buffers()}
    return {
        name: tensor
        for name, tensor in {**run.parameters, **buffers}.items()
        if has_numbers(tensor)
    }


def _count(reached: Mapping[str, NDArray[np.bool_]]) -> int:
    return sum(map(np.count_nonzero, reached.values()))


def _weighted(losses: Sequence[torch.Tensor]) -> list[tuple[torch.Tensor, float]]:
    """Give several losses unequal weights, so that they do not make up for each other."""
    return [(loss, 1 / (1 + 0.37 * number)) for number, loss in enumerate(losses)]


def _rotated(groups: Sequence[Units], state: State) -> State:
    for units in groups:
        state = units.rearranged(state, np.roll(np.arange(units.count), 1))
    return state


def _difference(one: Outcome, other: Outcome) -> float:
    """Return the largest relative difference of losses."""
    return max(
        abs(a - b) / (abs(a) + 1e-300) for a, b in zip(one.losses, other.losses, strict=True)
    )
