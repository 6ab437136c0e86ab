"""One run of a PyTorch training: fresh objects, and its steps taken one after the other."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from copy import deepcopy
from functools import partial
from typing import Any, NamedTuple
from unittest.mock import patch
from weakref import proxy

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from symmetry.base import generators, ranks
from symmetry.base.calls import calling, running
from symmetry.base.errors import TrainingError
from symmetry.base.raised import raised_as
from symmetry.observe.torch import Recorder, tensors_in
from symmetry.trainings.run import FixedArray
from symmetry.trainings.shown import Shown
from symmetry.trainings.torch.draws import SampleDraws
from symmetry.trainings.torch.fixed import FixedTensors
from symmetry.trainings.torch.modes import Arithmetic, Drawn, Frozen, Inside, Mixed, widened
from symmetry.trainings.torch.objects import (
    Objects,
    can_be_hooked,
    generators_of,
    gpu_hint,
    held_by,
    make_objects,
)
from symmetry.trainings.torch.padding import (
    NO_MASK,
    Padding,
    why_none_hidden,
    with_others_hidden,
)
from symmetry.trainings.torch.rates import Rates
from symmetry.trainings.torch.replicas import digests_of, gathered
from symmetry.trainings.torch.settings import SETTINGS, frames
from symmetry.trainings.torch.state import (
    as_array,
    has_numbers,
    held,
    is_distributed,
    parameters_of,
    tensors_of,
    unwrapped,
    write,
)
from symmetry.trainings.torch.trace import Tracer
from symmetry.trainings.torch.watch import Watch
from symmetry.trainings.trace import Trace, weights
from symmetry.units.state import Array, State


class TorchRun:
    """A PyTorch training on fresh objects, under seeds and random states of its own.

    It is a ``Run``: what is documented there is not repeated here. ``begin`` makes one.

    Attributes
    ----------
    objects
        What the function made.
    losses
        The tensors that the last step called backward on, in this order; without any, those that
        ``torch.autograd.grad`` differentiated by parameters, or the one that the step returned.
    parameters
        The parameters themselves, with their gradients.
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
        self.name, self.objects, self.parameters, self.dtype = name, objects, parameters, dtype
        self.taken = self.updates = self.backwards = self.grads = 0
        self.pending = False
        self.losses: list[Tensor] = []
        self._differentiated: list[Tensor] = []
        self.random: dict[tuple[str, str], None] = {}
        self.on_loss: Callable[[Any], None] = lambda _: None
        self.after_backward: Callable[[], None] = lambda: None
        self.before_update: Callable[[Any], None] = lambda _: None
        self.after_update: Callable[[Any], None] = lambda _: None
        self._reached: set[str] = set()  # the parameters that a gradient came to
        self.order: Array | None = None
        # Draws what results in bfloat16 and float16 are changed by: at most one ulp.
        self.nudge: torch.Generator | None = None
        self._fixed: FixedTensors | None = None
        self._draws: SampleDraws | None = None
        self._padding: Padding | None = None
        self._hides_others = False
        self._ends_at: tuple[int, int] | None = None
        self._frozen: Frozen | None = None
        self._gradient: float | None = None
        self._noise, self._frames = noise, frames()
        self._inside = Inside(objects.model)
        self._random_states = random_states
        self._names = {id(parameter): name for name, parameter in parameters.items()}
        self.optimizers = {n: Rates(o, self._names) for n, o in objects.optimizers.items()}

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
    ) -> TorchRun:
        """Call a function that makes a training, under seeds of all random numbers.

        Parameters
        ----------
        name, make
            The training's name, for messages, and the function.
        dtype
            ``"float32"``: as it is written; ``"float64"``: everything that has fewer bits is
            promoted.
        seed, noise
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
            with _readable(f"{name}()"), calling(*kind):
                with nullcontext() if drawn is None else Drawn(drawn):
                    objects = make_objects(name, make)
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
        return cls(name, objects, parameters, random_states, dtype=dtype, noise=noise)

    def close(self) -> None:
        """Close the step, if it can be closed: a script is suspended in one."""
        getattr(self.objects.step, "close", lambda: None)()

    @property
    def model(self) -> nn.Module:
        """The module that the training returned."""
        return self.objects.model

    @property
    def model_name(self) -> str:
        """The name of the model's class."""
        return type(self.model).__name__

    @property
    def trained(self) -> frozenset[str]:
        """The parameters that a gradient has come to by now, or that an optimiser holds."""
        return self.trainable & (self._reached | self.held) or self.trainable

    @property
    def held(self) -> frozenset[str]:
        """The parameters that an optimiser holds."""
        ids = {id(p) for o in self.objects.optimizers.values() for p in held_by(o)}
        return frozenset(name for name, p in self.parameters.items() if id(p) in ids)

    @property
    def trainable(self) -> frozenset[str]:
        """The parameters that require a gradient."""
        return frozenset(name for name, p in self.parameters.items() if p.requires_grad)

    @property
    def turned(self) -> frozenset[str]:
        """The matrices that make units along their second axis."""
        return frozenset(
            f"model.{unwrapped(name)}.weight"
            for name, module in self.model.named_modules()
            if getattr(module, "transposed", isinstance(module, nn.Embedding | nn.EmbeddingBag))
        )

    @property
    def sharded(self) -> bool:
        """Whether ranks hold parameters in parts, as ``DTensor``."""
        return ranks.world() > 1 and any(map(is_distributed, self.parameters.values()))

    @property
    def on_gpu(self) -> bool:
        """Whether a parameter is on a GPU."""
        return any(parameter.is_cuda for parameter in self.parameters.values())

    def tensors(self) -> dict[str, Tensor]:
        """Return the tensors of the state: writing into one changes the training."""
        return tensors_of(self.objects)

    def state(self, *, copy: bool = True) -> dict[str, Array]:
        """Return all floating-point tensors, by name; float32 or float64.

        Optimisers make their tensors in the first step, so that there are more after it. Without
        ``copy`` the next step may change what is returned.
        """
        return {name: as_array(t, copy=copy) for name, t in self.tensors().items()}

    def leaves(self, names: Container[str] | None = None) -> dict[str, Array]:
        """Return copies of the model's parameters and buffers, or of those of these names."""
        return {name: as_array(tensor) for name, tensor in self._leaves(names).items()}

    def _leaves(self, names: Container[str] | None) -> dict[str, Tensor]:
        """Return the parameters and buffers that have numbers, the objects themselves."""
        buffers = {f"model.{unwrapped(n)}": b for n, b in self.model.named_buffers()}
        return {
            name: tensor
            for name, tensor in {**self.parameters, **buffers}.items()
            if has_numbers(tensor) and (names is None or name in names)
        }

    def parameter_arrays(self) -> dict[str, Array]:
        """Return copies of the parameters alone."""
        return {name: as_array(p) for name, p in self.parameters.items()}

    def load(self, state: State) -> None:
        """Write arrays into the tensors of these names; other tensors stay."""
        tensors = self.tensors()
        for name, array in state.items():
            write(tensors[name], array)

    def precision(self) -> dict[str, float]:
        """Return the eps of each tensor of the state, in the dtype that it really has."""
        return {name: torch.finfo(t.dtype).eps for name, t in self.tensors().items()}

    def nudge_by(self, seed: int) -> None:
        """Change what results in bfloat16 and float16 by up to one ulp, at random."""
        self.nudge = torch.Generator().manual_seed(seed)

    def level(self, fixed: Mapping[int, Sequence[int]]) -> None:
        """Let steps read fixed tensors as the same along these axes, or as zero without axes.

        They are given by the numbers that ``unread`` has for them.
        """
        self._fixed = FixedTensors(self._inside, fixed)

    def unread(self, steps: int) -> Sequence[FixedArray]:
        """Take so many steps; return the fixed tensors that are read, and by no forward."""
        seen = self._fixed = FixedTensors(self._inside)
        self.on_loss = lambda _: seen.backward_begins()
        self.after_backward = seen.backward_ends
        for _ in range(steps):
            self.step()
            seen.step_ends()
        return seen.unread(self._all_tensors())

    def _all_tensors(self) -> dict[str, Tensor]:
        """Return the tensors of the state, and those that modules have as plain attributes."""
        attributes = {
            f"model.{path}.{name}".replace("..", "."): value
            for path, module in self.model.named_modules()
            for name, value in vars(module).items()
            if isinstance(value, Tensor) and value.layout is torch.strided
        }
        return {**attributes, **self.tensors()}

    def gradients(self) -> dict[str, Array]:
        """Return copies of the gradients that there are, by the names of their parameters."""
        return {
            name: as_array(p.grad.to_dense())
            for name, p in self.parameters.items()
            if p.grad is not None
        }

    def digests(self) -> dict[str, str]:
        """Return a digest of each parameter that is a copy."""
        return digests_of(self.parameters)

    def gathered(self, mine: dict[str, str]) -> list[dict[str, str]]:
        """Return the digests of all ranks."""
        return gathered(mine)

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
        self.losses, self.backwards, self._differentiated, self.grads = [], 0, [], 0
        kind = ("step", self.name, self.dtype)
        with (
            self._own_random_states(),
            _readable(f"step({i})"),
            _full_precision(),
            self.modes(),
            self._hooks(),
        ):
            with calling(*kind):
                given = i if self.objects.batch is None else self._batch(i)
                with self._other_draws():
                    returned = self.objects.step(given)
            if not self.losses:
                one = isinstance(returned, Tensor) and returned.numel() == 1
                self.losses = self._differentiated or ([returned] if one else [])
                for loss in self.losses:
                    self.on_loss(loss)
        self.taken += 1
        running.took = time.perf_counter() - began

    def reseed(self, seed: int) -> None:
        """Go on with the random numbers of a seed, however many the function has drawn."""
        with generators.kept(generators.shared()):
            generators.seed_all(seed)
            self._random_states = generators.states_of(generators.shared())

    @property
    def compiles(self) -> bool:
        """Whether torch.compile has had something to do since it began."""
        return frames() != self._frames

    def turned_by(self, setting: str) -> AbstractContextManager[Callable[[], bool]]:
        """Turn a setting of PyTorch while the block runs: see ``settings``."""
        context: AbstractContextManager[Callable[[], bool]] = SETTINGS[setting](self.objects)
        return context

    def show(self) -> Shown:
        """Take the next step; return what it shows beside the state."""
        scalers = (x for x in self.objects.extras.values() if isinstance(x, torch.amp.GradScaler))
        scaler = next((scaler for scaler in scalers if scaler.is_enabled()), None)
        watch = Watch(self.objects.model, self.parameters, scaler)
        kept = self.on_loss, self.after_backward, self.before_update
        self.on_loss, self.after_backward = watch.on_loss, watch.after_backward
        self.before_update = lambda rates: watch.before_update(rates.optimizer)
        try:
            with watch.hooked():
                self.step()
        finally:
            self.on_loss, self.after_backward, self.before_update = kept
        return watch.shown(self.loss)

    def states(self, steps: int, *, copy: bool = True) -> Iterator[dict[str, Array]]:
        """Yield the state after each of so many further steps."""
        for _ in range(steps):
            self.step()
            yield self.state(copy=copy)

    @contextmanager
    def _other_draws(self) -> Iterator[None]:
        """Tell the mode that follows samples of what generators other than PyTorch's draw."""
        if self._draws is None:
            yield
            return
        shared = [g for g in generators.shared() if not isinstance(g, torch.Generator)]
        others = [*shared, *generators_of(self.objects)]
        before = generators.states_of(others)
        yield
        self._draws.see_other(before, generators.states_of(others))

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
        self._ends_at, self._gradient = (backwards, 0 if backwards else grads), gradient
        taken, ends = self.taken, any(self._ends_at)
        kept = [(parameter, parameter.data) for parameter in self.parameters.values() if whole]
        frozen = Frozen(p for p in self.parameters.values() if p.requires_grad and not ends)
        self._frozen = frozen if whole else None
        try:
            with suppress(_StepEnded), nullcontext() if ends and not whole else frozen:
                self.step()
        finally:
            self._ends_at = None
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

    def _end_rehearsal(self) -> None:
        """End a step, or let it write into nothing more."""
        if self._frozen is None:
            raise _StepEnded
        self._frozen.add(self.tensors().values())

    @property
    def loss(self) -> float | None:
        """The sum of the last step's losses; None if it had none."""
        return sum(self.loss_sums()) if self.losses else None

    def loss_sums(self) -> list[float]:
        """Return the sum of all entries of each loss of the last step."""
        return [float(loss.detach().double().sum()) for loss in self.losses]

    @contextmanager
    def modes(self) -> Iterator[None]:
        """Enter what every operation of a step passes through.

        There is nothing to enter for a training as it is written: ``torch.compile`` compiles only
        where there is no mode.
        """
        with ExitStack() as stack:
            promote = self.dtype == "float64"
            changes = promote or not self._noise or self.nudge is not None
            looks = [mode for mode in (self._fixed, self._draws, self._padding) if mode is not None]
            if changes or looks:
                stack.enter_context(self._inside.watching(promote=promote))
            if changes:
                if promote:
                    stack.enter_context(Mixed())
                mode = Arithmetic(
                    self._inside, self._see, promote=promote, noise=self._noise, nudge=self.nudge
                )
                stack.enter_context(mode)
            for look in looks:
                stack.enter_context(look)
            yield

    def samples(self) -> int | None:
        """Return how many samples each batch has; None where that is not known to be one number."""
        if self.objects.batch is None:
            return None
        kept = generators.kept(generators.shared())
        with self._own_random_states(), _readable("batch(0)"), kept:
            batch = self.objects.batch(0)
        tensors = tensors_in(batch)
        axis = self.objects.batch_axis
        if not tensors or any(not -t.ndim <= axis < t.ndim for t in tensors):
            return None
        lengths = {t.shape[axis] for t in tensors}
        return lengths.pop() if len(lengths) == 1 else None

    def follow_samples(self, count: int) -> Mapping[str, bool]:
        """Put what steps draw for each of so many samples in their order; return what is seen."""
        self._draws = SampleDraws(count, self.order, self._inside)
        return self._draws.seen

    def _batch(self, i: int) -> Any:
        assert self.objects.batch is not None  # asked by the caller
        if self._draws is None:
            return self._rearranged(self.objects.batch(i))
        self._draws.paused = True
        try:
            return self._rearranged(self.objects.batch(i))
        finally:
            self._draws.paused = False

    def padding(self, steps: int) -> str:
        """Say why nothing that a mask hides can be replaced in so many batches; nothing if it can.

        No step is taken.
        """
        if self.objects.batch is None:
            return NO_MASK
        kept = generators.kept(generators.shared())
        with self._own_random_states(), _readable("batch(i)"), kept:
            batches = [self.objects.batch(i) for i in range(steps)]
        return next(filter(None, map(why_none_hidden, batches)), "")

    def replace_hidden(self, *, look: bool = False) -> Mapping[str, bool]:
        """Hide other tokens in the steps that follow; see how they may be known on request."""
        self._hides_others = True
        if not look:
            return {}
        self._padding = Padding()
        return self._padding.found

    def _rearranged(self, batch: Any) -> Any:
        """Return a batch with its samples in the order of this run, and what it hides replaced."""
        if self._padding is not None:
            self._padding.see(batch)
        if self._hides_others:
            batch = with_others_hidden(batch)
        if self.order is None:
            return batch
        axis, order = self.objects.batch_axis, torch.as_tensor(self.order)
        return tree_map(
            lambda t: t.index_select(axis, order.to(t.device)) if isinstance(t, Tensor) else t,
            batch,
        )

    @contextmanager
    def _hooks(self) -> Iterator[None]:
        """Let nothing pass by unseen: losses, and updates by optimisers."""
        optimizers = self.objects.optimizers.values()
        run = proxy(self)  # a script that is suspended in an update keeps what it has called
        with ExitStack() as stack:
            for name, seen in (("backward", self._seen_backward), ("grad", self._seen_grad)):
                hooked = seen(getattr(torch.autograd, name))
                stack.enter_context(patch.object(torch.autograd, name, hooked))
            for optimizer in filter(can_be_hooked, optimizers):
                before = optimizer.register_step_pre_hook(lambda o, *_: run._updates(o))
                after = optimizer.register_step_post_hook(lambda o, *_: run._updated(o))
                stack.callback(before.remove)
                stack.callback(after.remove)
            for kind in {type(o) for o in optimizers if not can_be_hooked(o)}:
                if callable(getattr(kind, "step", None)):  # one of the user's own
                    stack.enter_context(patch.object(kind, "step", self._seen_step(kind.step)))
            yield

    def _seen_backward(self, backward: Callable[..., Any]) -> Callable[..., None]:
        def seen_backward(tensors: Any, *args: Any, **kwargs: Any) -> None:
            for loss in _tensors(tensors):
                self.on_loss(loss)
                self.losses.append(loss)
            self.backwards += 1
            if self._ends_at is not None:
                self._rehearse_backward(self._ends_at[0])
                return
            self.pending = True
            with self._inside.entered():
                backward(tensors, *args, **kwargs)
            self._reached.update(n for n, p in self.parameters.items() if p.grad is not None)
            self.after_backward()

        return seen_backward

    def _rehearse_backward(self, last: int) -> None:
        """Leave gradients where none are, as a backward does; end the step at its last one."""
        if self.backwards == last:
            self._end_rehearsal()
        for parameter in self.parameters.values() if self._gradient is not None else ():
            if parameter.requires_grad and parameter.grad is None:
                parameter.grad = torch.full_like(parameter, self._gradient)

    def _seen_grad(self, grad: Callable[..., Any]) -> Callable[..., Any]:
        inner = False  # a function mode calls it again

        def seen_grad(outputs: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
            nonlocal inner
            if inner:
                return grad(outputs, inputs, *args, **kwargs)
            losses = [output for output in _tensors(outputs) if output.numel() == 1]
            if losses and not self._names.keys().isdisjoint(map(id, _tensors(inputs))):
                self._differentiated += losses
                self.grads += 1
                if self._ends_at is not None and self._ends_at[1]:
                    if self.grads == self._ends_at[1]:
                        self._end_rehearsal()
                    if not kwargs.get("create_graph"):
                        return tuple(map(torch.zeros_like, _tensors(inputs)))
            inner = True
            try:
                return grad(outputs, inputs, *args, **kwargs)
            finally:
                inner = False

        return seen_grad

    def _seen_step(self, step: Callable[..., Any]) -> Callable[..., Any]:
        def seen_step(optimizer: Any, *args: Any, **kwargs: Any) -> Any:
            self._updates(optimizer)
            try:
                return step(optimizer, *args, **kwargs)
            finally:
                self._updated(optimizer)

        return seen_step

    def _updates(self, optimizer: Any) -> None:
        self.pending = self.pending or _reads_first(optimizer)
        self.before_update(self._seen_as(optimizer))

    def _updated(self, optimizer: Any) -> None:
        self.updates += 1
        self.pending = False
        self.after_update(self._seen_as(optimizer))

    def _seen_as(self, optimizer: Any) -> Rates:
        """Return what others know of an optimiser; it may be one that is nobody's by name."""
        known = (o for o in self.optimizers.values() if o.optimizer is optimizer)
        return next(known, None) or Rates(optimizer, self._names)

    def _see(self, name: str, place: str) -> None:
        self.random[name, place] = None

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


def _tensors(one_or_more: Any) -> tuple[Tensor, ...]:
    return (one_or_more,) if isinstance(one_or_more, Tensor) else tuple(one_or_more)


def _reads_first(optimizer: Any) -> bool:
    """Return whether an update may read the optimiser's state before it calls its closure.

    PyTorch's own do not, but for one.
    """
    kind = type(optimizer)
    return kind is torch.optim.LBFGS or not kind.__module__.startswith("torch.optim.")


class _StepEnded(TrainingError):  # noqa: N818
    """Ends a step where it is; it passes through like any error of a training."""


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
