"""One run of a PyTorch training: fresh objects, and its steps taken one after the other."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from copy import deepcopy
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from symmetry.base import generators
from symmetry.base.calls import calling, running
from symmetry.base.errors import TrainingError
from symmetry.base.raised import raised_as
from symmetry.torch.batches.batches import Batches
from symmetry.torch.hooks import Hooked, Rehearsal, StepEnded
from symmetry.torch.modes.constants import Constants
from symmetry.torch.modes.copy_on_write import CopyOnWrite
from symmetry.torch.modes.dtypes import widened
from symmetry.torch.modes.init_cache import InitCache
from symmetry.torch.modes.mixed_dtypes import MixedDtypes
from symmetry.torch.modes.promotion import Promotion
from symmetry.torch.modes.recorder import Recorder, tensors_in
from symmetry.torch.modes.scope import ModuleScope
from symmetry.torch.module_hooks import Lines, ModuleHooks
from symmetry.torch.objects import Objects, generators_of, gpu_hint, make_objects
from symmetry.torch.probes.loss_probe import TorchLossProbe
from symmetry.torch.settings import SETTINGS, frames
from symmetry.torch.state import held, parameters_of, write
from symmetry.torch.trace import Tracer
from symmetry.torch.trials.trial import TorchTrial
from symmetry.training.run import Constant
from symmetry.training.shown import Shown
from symmetry.training.trace import Trace, weights
from symmetry.units.state import Array
from symmetry.units.units import Order


class TorchRun(Hooked):
    """A PyTorch training on fresh objects, under seeds and random states of its own.

    It is a ``Run``: what is documented there is not repeated here. ``begin`` makes one.
    """

    def __init__(
        self,
        name: str,
        objects: Objects,
        parameters: Mapping[str, nn.Parameter],
        random_states: Any,
        *,
        dtype: str,
        noise: bool,
    ) -> None:
        inside = ModuleScope(objects.model)
        super().__init__(objects, parameters, inside)
        self.name, self.dtype, self.taken = name, dtype, 0
        self.random: dict[tuple[str, str], None] = {}
        self.random_numbers: dict[str, None] = {}
        self._alike: Counter[Any] | None = None
        self.order: Order | None = None
        # Draws what results in bfloat16 and float16 are changed by: at most one ulp.
        self.nudge: torch.Generator | None = None
        self._fixed: Constants | None = None
        self._batches = Batches(objects, inside)
        self._noise, self._frames = noise, frames()
        self._random_states = random_states

    @classmethod
    def begin(
        cls,
        name: str,
        make: Callable[[], Any],
        *,
        dtype: str = "float32",
        seed: int = 0,
        noise: bool = True,
        drawn: dict[Any, Any] | None = None,
        order: Order | None = None,
    ) -> TorchRun:
        """Call a function that makes a training, under seeds of all random numbers.

        Parameters
        ----------
        name, make
            The training's name, for messages, and the function.
        dtype
            ``"float32"``: as it is written; ``"float64"``: everything that has fewer bits is
            promoted.
        seed, noise, order
            See ``TrainingTarget.start``.
        drawn
            What runs of this training remember of the random numbers that their models start from;
            None if they remember nothing.

        Raises
        ------
        TrainingError
            If the function raises, or returns anything but a training.
        """
        _forget_compiled()
        running.run, running.step = running.run + 1, 0
        kind = ("training", name, dtype)
        with generators.kept(generators.shared()):
            generators.seed_all(seed)
            remembering = nullcontext() if drawn is None else InitCache(drawn)
            with _readable(f"{name}()"), calling(*kind), remembering:
                objects = make_objects(name, make)
            if any(map(is_lazy, objects.model.parameters())):
                cls._call_lazy(name, objects)
            with _readable(f"{name}()"), calling(*kind):
                if dtype == "float64":
                    _promote(objects)
            random_states = generators.states_of(generators.shared())
        with _readable("reading its state"):  # the parameters by the names that the state has
            parameters = parameters_of(objects)
        if not parameters:
            raise TrainingError(f"{name}: the model has no parameters")
        for each, parameter in parameters.items():
            if parameter.is_meta:
                raise TrainingError(f"{name}: {each} is on the device meta, without numbers")
        run = cls(name, objects, parameters, random_states, dtype=dtype, noise=noise)
        run.order = order
        return run

    @classmethod
    def _call_lazy(cls, name: str, objects: Objects) -> None:
        """Give lazy modules their parameters, as their first call does: up to the first backward.

        Then the run begins with the same batch, and the same random numbers.
        """
        states = generators.states_of(generators.shared())
        cls(name, objects, {}, states, dtype="float32", noise=True).rehearse(1, 0)
        running.step = 0

    def close(self) -> None:
        """Close the step, if it can be closed: a script is suspended in one."""
        getattr(self.objects.step, "close", lambda: None)()

    def draw_alike(self) -> None:
        """Let the model's random operations draw what those of other trainings draw."""
        self._alike = Counter()

    @property
    def drawn(self) -> Mapping[Any, int]:
        """How often they drew, by kind and shape."""
        return self._alike or {}

    def nudge_by(self, seed: int) -> None:
        """Change what results in bfloat16 and float16 by up to one ulp, at random."""
        self.nudge = torch.Generator().manual_seed(seed)

    def level(self, fixed: Mapping[int, Sequence[int]]) -> None:
        """Let steps read fixed tensors as the same along these axes, or as zero without axes.

        They are given by the numbers that ``unread`` has for them.
        """
        self._fixed = Constants(self._inside, fixed)

    def unread(self, steps: int) -> Sequence[Constant]:
        """Take so many steps; return the fixed tensors that are read, and by no forward."""
        seen = self._fixed = Constants(self._inside)
        self.on_loss = lambda _: seen.backward_begins()
        self.after_backward = seen.backward_ends
        for _ in range(steps):
            self.step()
            seen.step_ends()
        return seen.unread(self._all_tensors())

    @property
    def loss_probe(self) -> TorchLossProbe:
        """Sees the steps that are taken while one of its blocks runs."""
        return TorchLossProbe(self.objects.model, lambda: self.taken)

    def save(self) -> Saved:
        """Return what a training saves: copies of all state dictionaries, and random states."""
        dicts = {name: _copy(x.state_dict()) for name, x in self.objects.stateful.items()}
        own = generators.states_of(generators_of(self.objects))
        return Saved(self.taken, dicts, self._random_states, own, self.gradients())

    def restore(self, saved: Saved, *, gradients: bool = False) -> None:
        """Go on where another run of the same training was saved; with its gradients on request.

        Raises
        ------
        TrainingError
            If the objects do not take their state dictionaries back.
        """
        for name, thing in self.objects.stateful.items():
            with _readable(f"{name}.load_state_dict"):
                thing.load_state_dict(deepcopy(saved.dicts[name]))
        generators.set_states(generators_of(self.objects), saved.generators)
        self._random_states, self.taken = saved.random_states, saved.taken
        for name, array in saved.gradients.items() if gradients else ():
            parameter = self.parameters[name]
            parameter.grad = torch.empty_like(parameter)
            write(parameter.grad, array)

    def step(self) -> None:
        """Take the next step; what it raises becomes a ``TrainingError``."""
        i, began = self.taken, time.perf_counter()
        running.step += 1
        self._step_begins()
        kind = ("step", self.name, self.dtype)
        with (
            self._own_random_states(),
            _readable(f"step({i})"),
            _full_precision(),
            self.modes(),
            self._hooks(),
        ):
            with calling(*kind):
                given = self._batches.given(i, self.order)
                with self._batches.other_draws():
                    returned = self.objects.step(given)
            self._step_ends(returned)
        self.taken += 1
        running.spent += time.perf_counter() - began

    def reseed(self, seed: int) -> None:
        """Go on with the random numbers of a seed, however many the function has drawn."""
        with generators.kept(generators.shared()):
            generators.seed_all(seed)
            self._random_states = generators.states_of(generators.shared())

    @property
    def compiles(self) -> bool:
        """Whether torch.compile has had something to do since it began."""
        return frames() != self._frames

    @property
    def asks_to_compile(self) -> bool:
        """Whether ``nn.Module.compile`` was called, which leaves out what is all PyTorch's own."""
        modules = self.objects.model.modules()
        return any(getattr(m, "_compiled_call_impl", None) is not None for m in modules)

    def turned_by(self, setting: str) -> AbstractContextManager[Callable[[], bool]]:
        """Turn a setting of PyTorch while the block runs: see ``settings``."""
        context: AbstractContextManager[Callable[[], bool]] = SETTINGS[setting](self.objects)
        return context

    def show(self) -> Shown:
        """Take the next step; return what it shows beside the state."""
        scalers = (x for x in self.objects.extras.values() if isinstance(x, torch.amp.GradScaler))
        scaler = next((scaler for scaler in scalers if scaler.is_enabled()), None)
        lines = Lines()
        watch = ModuleHooks(self.objects.model, self.parameters, scaler, lines)
        kept = self.on_loss, self.after_backward, self.before_update
        self.on_loss, self.after_backward = watch.on_loss, watch.after_backward
        self.before_update = lambda rates: watch.before_update(rates.optimizer)
        # Nothing compiles under a mode: what compiles, in runs without modes, shows no lines.
        as_written = self.dtype == "float32" and self._noise and self._alike is None
        compiled = as_written and frames() > 0
        try:
            with nullcontext() if compiled else Recorder(lines), watch.hooked():
                self.step()
        finally:
            self.on_loss, self.after_backward, self.before_update = kept
        return watch.shown(self.loss, self.tensors())

    @property
    def trial(self) -> TorchTrial:
        """Tries the model; the run is thrown away afterwards."""
        return TorchTrial(self)

    def states(self, steps: int, *, copy: bool = True) -> Iterator[dict[str, Array]]:
        """Yield the state after each of so many further steps."""
        for _ in range(steps):
            self.step()
            yield self.state(copy=copy)

    def rehearse(
        self, backwards: int, grads: int, gradient: float | None = None, *, whole: bool = False
    ) -> None:
        """Take the next step without any backward, so that no gradient and no update comes of it.

        The step ends when it calls backward for this time, or without any backward
        ``torch.autograd.grad``: what it does to its parameters afterwards is not done. Without both
        it goes to its end, and does not write into its parameters. A ``whole`` step goes on all the
        same, and from then on writes into nothing that a run is compared by. ``gradient`` is left
        in each entry of the gradients, for steps that do something with them.
        """
        taken, ends = self.taken, bool(backwards or grads)
        kept = [(parameter, parameter.data) for parameter in self.parameters.values() if whole]
        frozen = CopyOnWrite(p for p in self.parameters.values() if p.requires_grad and not ends)
        self._rehearsal = Rehearsal(backwards, grads, gradient, frozen if whole else None)
        try:
            with suppress(StepEnded), nullcontext() if ends and not whole else frozen:
                self.step()
        finally:
            self._rehearsal = None
            for parameter, data in kept:
                parameter.data = data
        self.losses = self.losses or self._differentiated
        self.taken = taken + 1

    def trace(self, names: Container[str], step: Callable[[], None], steps: int) -> Trace:
        """Return the trace of so many steps, each taken by a call of ``step``."""
        tracer = Tracer(self._leaves(names))
        losses: list[Tensor] = []
        with Recorder(tracer):
            for _ in range(steps):
                step()
                losses += self.losses
        weighted = [*zip(losses, weights(len(losses)), strict=True)]
        return tracer.end(weighted, self._leaves(names))

    @contextmanager
    def modes(self) -> Iterator[None]:
        """Enter what every operation of a step passes through.

        There is nothing to enter for a training as it is written: ``torch.compile`` compiles only
        where there is no mode.
        """
        with ExitStack() as stack:
            promote = self.dtype == "float64"
            draws = self._noise and self._alike is None
            changes = promote or not draws or self.nudge is not None
            looks: list[Any] = [
                *([] if self._fixed is None else [self._fixed]),
                *self._batches.modes,
            ]
            if changes or looks:
                stack.enter_context(self._inside.watching(promote=promote))
            if changes:
                if promote:
                    stack.enter_context(MixedDtypes())
                mode = Promotion(
                    self._inside,
                    self._see,
                    promote=promote,
                    noise=self._noise,
                    alike=self._alike,
                    nudge=self.nudge,
                )
                stack.enter_context(mode)
            for look in looks:
                stack.enter_context(look)
            yield

    def samples(self) -> int | None:
        """Return how many samples each batch has; None where that is not known to be one number."""
        with self._own_random_states(), _readable("batch(0)"), generators.kept(generators.shared()):
            return self._batches.samples()

    def follow_samples(self, count: int) -> Mapping[str, bool]:
        """Put what steps draw for each of so many samples in their order; return what is seen."""
        return self._batches.follow_samples(count, self.order)

    def padding(self, steps: int) -> str:
        """Say why nothing that a mask hides can be replaced in so many batches; nothing if it can.

        No step is taken.
        """
        with self._own_random_states(), _readable("batch(i)"), generators.kept(generators.shared()):
            return self._batches.padding(steps)

    def replace_hidden(self, *, look: bool = False) -> Mapping[str, bool]:
        """Hide other tokens in the steps that follow; see how they may be known on request."""
        return self._batches.replace_hidden(look=look)

    def _see(self, name: str, place: str, numbers: str) -> None:
        self.random[name, place] = None
        self.random_numbers[numbers] = None

    @contextmanager
    def _own_random_states(self) -> Iterator[None]:
        """Go on with this run's random numbers; then with those outside."""
        with generators.kept(generators.shared()):
            generators.set_states(generators.shared(), self._random_states)
            try:
                yield
            finally:
                self._random_states = generators.states_of(generators.shared())


class Saved(NamedTuple):
    """What is needed to go on with a training after its process has ended, and its gradients."""

    taken: int
    dicts: Mapping[str, Any]
    random_states: Any
    generators: list[Any]
    gradients: dict[str, Array]


def _promote(objects: Objects) -> None:
    """Make every tensor float64 that exists before the first step; the objects stay theirs."""
    for thing in objects.extras.values():
        if hasattr(thing, "_enabled"):  # a gradient scaler has nothing to do in float64
            thing._enabled = False
    for _, tensor in held(objects):
        if (wide := widened(tensor.data)).dtype != tensor.dtype:
            tensor.data, tensor.grad = wide, None


def _copy(saved: Any) -> Any:
    """Return a deep copy without the history of tensors, as a file would be."""
    tensors = [t for t in tensors_in(saved) if not t.is_leaf]
    return deepcopy(saved, {id(t): t.detach().clone() for t in tensors})


def _forget_compiled() -> None:
    """Let ``torch.compile`` begin anew: a second instance of a model may get other code.

    After a few instances it would even compile no more.
    """
    dynamo = sys.modules.get("torch._dynamo")
    if dynamo is not None and dynamo.utils.counters["frames"]:
        dynamo.reset()


def _hint(text: str) -> str:
    if text.startswith("TypeError") and "positional argument" in text:
        return "; the step is called as step(i) with the number of the step"
    return gpu_hint(text)


_readable = partial(raised_as, TrainingError, hint=_hint)


@contextmanager
def _full_precision() -> Iterator[None]:
    """Switch TF32 off where there is a GPU: its 10 bits would hide what is judged by ulps."""
    if not torch.cuda.is_initialized():
        yield
        return
    products, convolutions = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(products)
        torch.backends.cudnn.allow_tf32 = convolutions
