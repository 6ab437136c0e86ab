"""Gradients that an update reads, or a clear drops, and parameters that no optimiser holds."""

from __future__ import annotations

import inspect
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Set
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.amp import GradScaler
from torch.nn.utils import clip_grad as clipping
from torch.optim import Optimizer

from symmetry.base.patches import Patch, outermost
from symmetry.base.user_code import kind_of
from symmetry.observe.source_line import NOWHERE, SourceLine, asked_at
from symmetry.torch.graph import leaves_of, nodes_behind
from symmetry.torch.objects import family_of, held_by, rates_of
from symmetry.torch.script.epochs.log import Log, Numbers, digest_of, states, variable_of
from symmetry.torch.script.epochs.measuring import Measuring
from symmetry.torch.script.epochs.schedules import Schedules
from symmetry.torch.script.epochs.terms import LossTerms
from symmetry.torch.state import is_freed
from symmetry.torch.watch.calls import in_backward
from symmetry.training.events import (
    Backward,
    Cleared,
    Clipped,
    SteppedOptimizer,
    Unheld,
    Updated,
)


@dataclass
class _Reached:
    """A parameter, its numbers at the first backward, and how many reach it."""

    parameter: Tensor
    at: SourceLine
    variable: str
    before: Tensor
    backwards: int = 0

    @property
    def stays(self) -> bool:
        """Whether nothing has moved it."""
        return not is_freed(self.parameter) and bool(torch.equal(self.parameter, self.before))


class UnheldParameters:
    """Sees parameters of no module that backwards reach, and that no optimiser holds.

    Example: a learned scale of the logits, beside the model.

        scale = nn.Parameter(torch.tensor(2.6))
        optimizer = AdamW(model.parameters())          the scale has gradients, and stays as it is
    """

    def __init__(self) -> None:
        self._found: dict[int, _Reached] = {}

    def reached(self, leaves: Iterable[Tensor]) -> None:
        """See leaves that no optimiser holds, before a backward: those made as parameters."""
        for leaf in leaves:
            if not isinstance(leaf, nn.Parameter) or is_freed(leaf):
                continue
            if id(leaf) not in self._found:
                value = leaf.detach().clone()
                self._found[id(leaf)] = _Reached(leaf, asked_at(), variable_of(leaf), value)
            self._found[id(leaf)].backwards += 1

    def records(self, modules: Iterable[nn.Module], held: Set[int]) -> Iterator[Unheld]:
        """Yield those of no module that optimisers hold by now, and that nothing has moved."""
        own = {id(p) for module in modules for p in module.parameters(recurse=False)}
        for key, each in self._found.items():
            if key not in own and key not in held and each.stays:
                yield Unheld(
                    at=each.at,
                    variable=each.variable,
                    shape=" x ".join(map(str, each.parameter.shape)) or "a number",
                    backwards=each.backwards,
                )


class ByHand:
    """Stands for the optimiser that a script does not have: sees updates by what they change.

    Example: a loop that forgets to clear the gradients.

        loss.backward()              its leaves: parameters of modules, and others that two
                                     backwards have reached. Inputs that require gradients are made
                                     anew each time
        for p in params:             has_updated: leaves hold other numbers than behind the
            p.data -= 0.1 * p.grad   backward. It is asked before a module is called, before
                                     gradients are cleared, and before the next backward
        loss.backward()              adds to gradients that the update has used

    Attributes
    ----------
    param_groups, state
        As optimisers have them: one group with the leaves, and no state.
    asked
        The line of the last backward.
    """

    def __init__(self) -> None:
        self._leaves: list[Tensor] = []
        self.param_groups: list[dict[str, Any]] = [{"params": self._leaves}]
        self.state: dict[Tensor, Any] = {}
        self._once: list[Tensor] = []  # leaves of the last backward that may be inputs
        self.asked = NOWHERE
        self._digests: list[str] | None = None  # behind a backward that no update has followed

    def see_backward(self, leaves: Iterable[Tensor], at: SourceLine) -> None:
        """See the leaves that a backward has given gradients to, and its line."""
        held, before = {id(p) for p in self._leaves}, {id(p) for p in self._once}
        fresh = [p for p in leaves if id(p) not in held]
        self._leaves += [p for p in fresh if isinstance(p, nn.Parameter) or id(p) in before]
        self._once, self.asked = fresh, at
        self._digests = self._now()

    def has_updated(self) -> bool:
        """Return whether the leaves are others than behind the last backward, the first time."""
        if self._digests is None or self._digests == self._now():
            return False
        self._digests = None
        return True

    def _now(self) -> list[str]:
        return [digest_of(leaf.detach()) for leaf in self._leaves]


_NODES = 20_000  # of a graph that are looked through for its leaves
_CLIPS = ("clip_grad_norm_", "clip_grad_value_")
_grad: Any = Tensor.grad


class GradientReads:
    """Follows gradients from the backward that writes them to the update that reads them.

    Parameters
    ----------
    log
        Where events go.
    measuring
        Measures the losses.
    reach
        Called with the numbers of the nodes behind each backward; with None if they are too many.
    """

    def __init__(
        self, log: Log, measuring: Measuring, reach: Callable[[Iterable[int] | None], None]
    ) -> None:
        self._log, self._measuring, self._reach = log, measuring, reach
        self._optimizers = Numbers()
        self.terms, self._numbers = LossTerms(), Numbers()
        self.unheld = UnheldParameters()
        self._stepped: dict[int, bool] = {}  # optimisers by number: whether they keep a state
        # By parameter: the backwards and clips whose numbers are in its gradient now.
        self._within: dict[int, set[int]] = {}
        self._clipped: dict[int, set[int]] = {}
        self._zero: dict[int, tuple[int, int]] = {}  # gradient and version when last seen not zero
        self._norms: dict[int, float] = {}  # of gradients behind the last of several backwards
        self._factors = (1.0, 1.0)
        self._alive: dict[int, int] = {}  # backwards that nothing has read: parameters with them
        self._read_by: dict[int, set[int]] = {}  # by optimiser, the backwards that it has read
        self._looked_at: set[int] = set()  # backwards whose gradients the user's code has read
        self.looked_at: set[int] = set()  # ids of parameters whose gradients it has read
        self._initial: dict[int, tuple[float, ...]] = {}  # rates, by optimiser
        self._clips = 0
        self._quiet = False  # whether an update or PyTorch itself reads gradients, not the user
        self._by_hand: ByHand | None = None  # where a backward came before any optimiser

    def patches(self) -> Iterator[Patch]:
        """Yield what has to be replaced while the script runs."""
        yield from self.terms.patches()
        backward, grad = torch.autograd.backward, torch.autograd.grad
        yield torch.autograd, "backward", outermost(backward, self._seen_backward(backward))
        yield torch.autograd, "grad", outermost(grad, self._seen_grad(grad))
        yield Optimizer, "__init__", self._seen_init(Optimizer.__init__)
        yield nn.Module, "zero_grad", self._seen_zero(nn.Module.zero_grad)
        for kind in family_of(Optimizer):
            if "zero_grad" in vars(kind):
                yield kind, "zero_grad", self._seen_zero(vars(kind)["zero_grad"])
        for name in _CLIPS:
            clip = self._seen_clip(getattr(clipping, name))
            yield clipping, name, clip
            yield nn.utils, name, clip
        for name in ("step", "unscale_"):
            yield GradScaler, name, self._seen_scaler(getattr(GradScaler, name))

    @property
    def optimizers(self) -> list[Any]:
        """The optimisers, in the order in which they were made."""
        return [each for each in self._optimizers if not isinstance(each, ByHand)]

    @property
    def held(self) -> set[int]:
        """The ids of the parameters that optimisers hold, or that are updated by hand."""
        return {*map(id, self.parameters)}

    @property
    def parameters(self) -> list[Tensor]:
        """The parameters that optimisers hold, or that are updated by hand."""
        updating = self.optimizers or self._optimizers
        known = {id(p): p for optimizer in updating for p in held_by(optimizer)}
        return [*known.values()]

    def number_of(self, optimizer: Any) -> int:
        """Return the number of an optimiser."""
        return self._optimizers.of(optimizer)

    def read(self, parameter: Tensor) -> None:
        """Note that the user's code reads the gradient of a parameter: nothing in it is lost."""
        if not self._quiet:
            self.looked_at.add(id(parameter))
            for number in self._within.get(id(parameter), ()):
                self._alive.pop(number, None)
                self._looked_at.add(number)

    def see_by_hand(self) -> None:
        """See whether the script has updated by hand since its last backward."""
        hand = self._by_hand
        if hand is None or self.optimizers or not hand.has_updated():
            return
        mine = held_by(hand)  # their gradients may be cleared by now
        for p in mine:
            if _version(p) != self._zero.get(id(p), _version(p)) and not self._is_cleared(p):
                self._within.pop(id(p), None)  # as momentum that is kept in the gradient
        self._add_update(hand, mine, set(), hand.asked)

    def updates(self, optimizer: Any) -> None:
        """See an optimiser before its step."""
        self._look()
        self._quiet = True
        self._factors = self._changes(optimizer)

    def updated(self, optimizer: Any) -> None:
        """See an optimiser after its step."""
        self._quiet = False
        self._optimizers.look(optimizer)
        mine = [p for p in held_by(optimizer) if _grad.__get__(p) is not None]
        rates = rates_of(optimizer)
        self._add_update(optimizer, mine, self._looked_at, rates=rates, factors=self._factors)

    def _add_update(
        self,
        optimizer: Any,
        mine: Iterable[Tensor],
        looked_at: Set[int],
        at: SourceLine | None = None,
        rates: tuple[float, ...] = (),
        factors: tuple[float, float] = (1.0, 1.0),
    ) -> None:
        """Add an update by the gradients of some parameters, but for backwards looked at."""
        number = self._optimizers.of(optimizer)
        self._stepped[number] = bool(optimizer.state)
        before = self._read_by.setdefault(number, set())
        backwards = {n for p in mine for n in self._within.get(id(p), ())}
        clips = {n for p in mine for n in self._clipped.get(id(p), ())}
        for each in backwards:
            self._alive.pop(each, None)
        again = backwards & before - looked_at
        before |= backwards
        self._log.updates += 1
        self._log.add(
            Updated,
            at,
            optimizer=number,
            rates=rates,
            backwards=tuple(sorted(backwards)),
            again=tuple(sorted(again)),
            clips=tuple(sorted(clips)),
            states=states(),
            factors=factors,
        )
        self.terms.updated(len(backwards))

    def _changes(self, optimizer: Any) -> tuple[float, float]:
        """Return what gradients were multiplied by since the last of several backwards."""
        factors = []
        for p in held_by(optimizer):
            if before := self._norms.pop(id(p), 0.0):
                same = _version(p) == self._zero.get(id(p))
                factors.append(1.0 if same else _norm(p) / before)
        return (min(factors), max(factors)) if factors else (1.0, 1.0)

    def records(self, schedules: Schedules) -> tuple[SteppedOptimizer, ...]:
        """Return what is known of the optimisers that stepped."""
        return tuple(
            SteppedOptimizer(
                number=number,
                kind="hand" if isinstance(optimizer, ByHand) else type(optimizer).__name__,
                variable=self._optimizers.name_of(number),
                parameters=len(held_by(optimizer)),
                has_state=self._stepped[number],
                initial=self._initial.get(number, ()),
                schedules=schedules.kinds_of(optimizer),
                twice=schedules.twice_of(optimizer),
                by_group=schedules.are_by_group(optimizer),
                held=frozenset(
                    known
                    for p in held_by(optimizer)
                    if (known := self._numbers.known(p)) is not None
                ),
            )
            for number, optimizer in enumerate(self._optimizers)
            if number in self._stepped
        )

    def _seen_init(self, init: Callable[..., None]) -> Callable[..., None]:
        def seen_init(optimizer: Any, *args: Any, **kwargs: Any) -> None:
            init(optimizer, *args, **kwargs)
            self._initial.setdefault(self._optimizers.of(optimizer), rates_of(optimizer))

        return seen_init

    def _seen_backward(self, backward: Callable[..., Any]) -> Callable[..., Any]:
        def seen_backward(tensors: Any, *args: Any, **kwargs: Any) -> None:
            if self._log.ended or in_backward():
                backward(tensors, *args, **kwargs)
                return
            self._look()
            at, roots, number = asked_at(), _tensors_in(tensors), self._log.backwards
            beside, calls = self._leaves_and_calls(roots)
            leaves = [] if self.optimizers else leaves_of(roots)
            before = {id(p): _version(p) for p in self.parameters}
            with self.terms.weighed(roots, at) as terms:
                backward(tensors, *args, **kwargs)
            self._log.backwards += 1
            if leaves:
                self._see_leaves(leaves, at)
            reached = [p for p in self.parameters if _version(p) != before.get(id(p))]
            for p in reached:
                self._within.setdefault(id(p), set()).add(number)
                self._zero[id(p)] = _version(p)
                if len(self._within[id(p)]) > 1:
                    self._norms[id(p)] = _norm(p) / self.terms.scale
            if reached and not (beside or leaves or self._quiet):  # a closure's optimiser reads it
                self._alive[number] = len(reached)
            names = [root.grad_fn.name() for root in roots if root.grad_fn is not None]
            self._log.add(
                Backward,
                at,
                number=number,
                held=len(reached),
                beside=beside,
                operation=names[0] if names else "",
                calls=calls,
                reached=frozenset(self._numbers.of(p) for p in reached),
                terms=()
                if leaves
                else tuple(terms),  # an update by hand may divide by their number
            )
            self._measuring.see("loss", "backward", roots)

        return seen_backward

    def _see_leaves(self, leaves: list[Tensor], at: SourceLine) -> None:
        """See the leaves of a backward of a script that has made no optimiser so far."""
        if self._by_hand is None:
            self._by_hand = ByHand()
            self._optimizers.of(self._by_hand)
        self._by_hand.see_backward(leaves, at)

    def _seen_grad(self, grad: Callable[..., Any]) -> Callable[..., Any]:
        def seen_grad(*args: Any, **kwargs: Any) -> Any:
            if self._log.ended or in_backward():
                return grad(*args, **kwargs)
            outputs = kwargs["outputs"] if "outputs" in kwargs else args[0]
            _, calls = self._leaves_and_calls(_tensors_in(outputs))  # before the graph is freed
            found = grad(*args, **kwargs)
            number = self._log.backwards
            self._log.backwards += 1
            facts = {"number": number, "held": 0, "beside": True, "operation": "", "calls": calls}
            self._log.add(Backward, **facts)
            return found

        return seen_grad

    def _leaves_and_calls(self, roots: list[Tensor]) -> tuple[bool, frozenset[int] | None]:
        """Return whether a graph has leaves that no optimiser holds, and the calls that led to it.

        A graph that is too large to search may have others, and its calls are not known.
        """
        begin = {root.grad_fn for root in roots if root.grad_fn is not None}
        behind, held = nodes_behind(begin, _NODES), self.held
        if behind is None:
            self._reach(None)
            return True, None
        nodes = begin | behind
        leaves = (getattr(node, "variable", None) for node in nodes)
        others = [leaf for leaf in leaves if leaf is not None and id(leaf) not in held]
        self.unheld.reached(others)
        numbers = [node._sequence_nr() for node in nodes]
        self._reach(numbers)
        return bool(others), self._log.calls_of(numbers) or None

    def _seen_zero(self, zero: Callable[..., Any]) -> Callable[..., Any]:
        def seen_zero(owner: Any, *args: Any, **kwargs: Any) -> Any:
            if self._quiet or self._log.ended:
                return zero(owner, *args, **kwargs)
            self._look()
            self._quiet = True
            try:
                return zero(owner, *args, **kwargs)
            finally:
                self._quiet = False
                mine = held_by(owner) if isinstance(owner, Optimizer) else owner.parameters()
                if cleared := [p for p in mine if self._is_cleared(p)]:
                    self._clear(cleared)

        return seen_zero

    def _seen_clip(self, clip: Callable[..., Any]) -> Callable[..., Any]:
        signature = inspect.signature(clip)  # any argument may be given by its name

        def seen_clip(*args: Any, **kwargs: Any) -> Any:
            if self._quiet or self._log.ended:
                return clip(*args, **kwargs)
            call = signature.bind(*args, **kwargs)
            parameters, limit = [*call.arguments.values()][:2]
            used_up = inspect.isgenerator(parameters) and parameters.gi_frame is None
            given = [parameters] if isinstance(parameters, Tensor) else [*parameters]
            call.arguments["parameters"] = given
            number, at = self._clips, asked_at()
            self._clips += 1
            self._quiet = True
            try:
                return clip(*call.args, **call.kwargs)
            finally:
                self._quiet = False
                with_gradient = [p for p in given if _grad.__get__(p) is not None]
                for p in with_gradient:
                    self._clipped.setdefault(id(p), set()).add(number)
                    self._zero[id(p)] = _version(p)
                    # A loop that looks at the norm may leave out the update.
                    for each in self._within.get(id(p), ()):
                        self._alive.pop(each, None)
                self._log.add(
                    Clipped,
                    at,
                    number=number,
                    limit=float(limit) if isinstance(limit, int | float) else math.inf,
                    gradients=len(with_gradient),
                    is_empty=not given,
                    is_exhausted=used_up,
                )

        return seen_clip

    def _seen_scaler(self, method: Callable[..., Any]) -> Callable[..., Any]:
        """Count what a gradient scaler looks at as read: it may leave out the update."""

        def seen(scaler: Any, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
            for p in held_by(optimizer):
                self.read(p)
            return method(scaler, optimizer, *args, **kwargs)

        return seen

    def _look(self) -> None:
        """See which gradients were cleared by hand: set to None, or to zero."""
        self.see_by_hand()
        within = (p for p in self.parameters if self._within.get(id(p)))
        if gone := [p for p in within if self._is_cleared(p)]:
            self._clear(gone)

    def _is_cleared(self, parameter: Tensor) -> bool:
        """Return whether a gradient is not there, or has become zero since it was last looked at.

        A wrapper's ``zero_grad`` may do nothing, as accelerate's does until all are summed up.
        """
        gradient = _grad.__get__(parameter)
        if gradient is None:
            return True
        return _version(parameter) != self._zero.get(id(parameter)) and not bool(gradient.any())

    def _clear(self, parameters: Iterable[Any]) -> None:
        """Forget the contents of these gradients; report the backwards that are lost by that."""
        lost = []
        for p in parameters:
            self._clipped.pop(id(p), None)
            for number in self._within.pop(id(p), ()):
                if number in self._alive:
                    self._alive[number] -= 1
                    if not self._alive[number]:
                        del self._alive[number]
                        lost.append(number)
        self._log.add(Cleared, lost=tuple(sorted(lost)))


def gradient_property(gradients: GradientReads) -> property:
    """Return a property that stands for ``Parameter.grad``, and sees who reads it."""

    def get(parameter: Tensor) -> Any:
        if kind_of(sys._getframe(1).f_code.co_filename) in ("user", "installed"):
            gradients.read(parameter)
        return _grad.__get__(parameter)

    return property(get, _grad.__set__, _grad.__delete__)


def _version(parameter: Tensor) -> tuple[int, int]:
    """Return what changes as soon as something is written into a parameter's gradient."""
    gradient = _grad.__get__(parameter)
    return (0, 0) if gradient is None else (id(gradient), gradient._version)


def _norm(parameter: Tensor) -> float:
    """Return the norm of a parameter's gradient; 0 if it has none that can be read."""
    gradient = _grad.__get__(parameter)
    if gradient is None or gradient.layout is not torch.strided:
        return 0.0
    return float(torch.linalg.vector_norm(gradient.detach(), dtype=torch.float64))


def _tensors_in(roots: Any) -> list[Tensor]:
    """Return the tensors that a backward begins at, without edges of a graph."""
    return [
        root
        for root in ([roots] if isinstance(roots, Tensor) else roots)
        if isinstance(root, Tensor)
    ]
