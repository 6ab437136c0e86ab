"""Changes that observing leaves behind: modes, hooks, frozen parameters, weights.

Example: an evaluation registers hooks that quantise, and leaves them.

    optimizer.step()                    the state of all modules is kept
    def evaluate():                     a frame of the user's
        m.register_forward_hook(q)      a write, by this frame
        model(x)                        without gradients: this frame observes
    optimizer.step()                    the hook is still there: Left
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import wraps
from inspect import CO_GENERATOR
from types import FrameType
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from symmetry.base.patches import Patch
from symmetry.base.user_code import callers, is_user_code
from symmetry.observe.source_line import SourceLine, users_line
from symmetry.torch.script.epochs.log import Log
from symmetry.training.events import Called, Left, LoopEvent, Measured, Saved

_MOST = 1 << 22  # numbers in the parameters that are kept from update to update
_CLOSE = 1e-5  # of the largest weight: to merge adapters and to take them out again rounds so
_HOOKS = ("register_forward_hook", "register_forward_pre_hook")
_requires_grad: Any = Tensor.requires_grad
_Frame = tuple[int, Any]


class _Write(NamedTuple):
    """A write of something that an observation may leave behind."""

    key: tuple[str, int]  # what, and the id of what holds it
    frames: frozenset[_Frame]
    function: str  # the innermost of the user's
    at: SourceLine


class Observations:
    """Sees what is written while a script observes, and is still there at the next update.

    A function observes if it calls a model without gradients, or saves, and takes no update.

    Parameters
    ----------
    log
        The log of the run, whose events it listens to.
    roots
        Returns the modules that are in no other.
    parameters
        Returns the parameters that are trained.
    """

    def __init__(
        self,
        log: Log,
        roots: Callable[[], Sequence[nn.Module]],
        parameters: Callable[[], Sequence[Tensor]],
    ) -> None:
        self._log, self._roots, self._parameters = log, roots, parameters
        log.listeners.append(self._see)
        self._kept: dict[tuple[str, int], tuple[str, Any]] | None = None  # behind an update
        self._writes: list[_Write] = []
        self._observing, self._updating = set[_Frame](), set[_Frame]()
        self._observes = False  # whether anything has observed since the last update
        self._altering = set[int]()  # hooks that have returned something
        self._weights: list[tuple[Tensor, Tensor, int]] = []  # behind an update
        self._away: dict[int, tuple[Tensor, int, SourceLine]] = {}  # while something observes
        self._left: dict[tuple[str, str, str], Left] = {}
        self._inside = False

    def patches(self) -> Iterator[Patch]:
        """Yield what has to be replaced while the script runs."""
        yield nn.Module, "train", self._seen("mode", nn.Module.train)
        yield Tensor, "requires_grad_", self._seen("requires_grad", Tensor.requires_grad_)
        yield nn.Parameter, "requires_grad", property(self._get, self._set)
        for name in _HOOKS:
            yield nn.Module, name, self._registering(getattr(nn.Module, name))

    @property
    def records(self) -> tuple[Left, ...]:
        """The changes that observations left behind."""
        return tuple(self._left.values())

    def begins(self) -> None:
        """See an update that begins: anything that is still there stays."""
        self._updating |= {_of(frame) for frame in _frames()}
        self._compare_weights()
        if self._kept is None or not (self._writes and self._observes):
            return
        now, frames = self._state(), self._observing - self._updating
        for write in self._writes:
            name, kept = self._kept.get(write.key, ("", None))
            if not name or not any(frame in frames or _is_context(frame) for frame in write.frames):
                continue
            left = _difference(write.key[0], kept, now.get(write.key, ("", kept))[1])
            if left is None or (left == "hook" and not self._alters(kept, write.key, now)):
                continue
            key = left, name.partition(".")[0], write.function
            before = self._left.get(key)
            rounds = (*(() if before is None else before.rounds), self._log.updates)
            self._left[key] = Left(
                kind=left,
                name=name if before is None else before.name,
                function=write.function,
                at=write.at if before is None else before.at,
                rounds=tuple(dict.fromkeys(rounds)),
            )

    def ends(self) -> None:
        """See an update that has ended: anything that is there now is meant so."""
        self._kept = self._state()
        self._writes.clear()
        self._observing.clear()
        self._observes = False
        self._away.clear()
        self._weights = []
        mine = [p for p in self._parameters() if p.layout is torch.strided and not p.is_meta]
        if sum(p.numel() for p in mine) <= _MOST:
            self._weights = [(p, p.detach().clone(), p._version) for p in mine]

    def _see(self, event: LoopEvent) -> None:
        observes = isinstance(event, Saved) or (isinstance(event, Called) and not event.gradient)
        if observes:
            self._observes = True
            self._observing |= {_of(frame) for frame in _frames()}
        if isinstance(event, Called):
            if event.gradient:
                self._compare_weights()
            else:
                self._look_at_weights(event.at)
        elif isinstance(event, Measured) and event.phase == "forward":
            self._look_again()

    @torch.no_grad()
    def _look_at_weights(self, at: SourceLine) -> None:
        for number, (parameter, before, version) in enumerate(self._weights):
            changed = parameter._version != version or parameter.data_ptr() != before.data_ptr()
            if changed and parameter.shape == before.shape and not torch.equal(parameter, before):
                now = parameter.detach().clone(), parameter._version, at
                self._away.setdefault(number, now)

    def _look_again(self) -> None:
        """See weights behind a call: it may write them itself, as an embedding with a norm does."""
        for number, (_, _, at) in [*self._away.items()]:
            parameter = self._weights[number][0]
            self._away[number] = parameter.detach().clone(), parameter._version, at

    @torch.no_grad()
    def _compare_weights(self) -> None:
        """See whether weights that were others for an observation are as they were before it."""
        for number, (seen, version, at) in self._away.items():
            parameter, before, _ = self._weights[number]
            again = parameter._version != version or not torch.equal(parameter, seen)
            if not again or parameter.shape != before.shape:
                continue
            limit = max(_CLOSE, 4 * torch.finfo(parameter.dtype).eps) * float(before.abs().max())
            if float((parameter - before).abs().max()) > max(limit, 1e-12):
                left = Left(kind="weights", name="", function="", at=at)
                self._left.setdefault(("weights", "", ""), left)
        self._away.clear()

    def _state(self) -> dict[tuple[str, int], tuple[str, Any]]:
        """Return modes, hooks and flags, each with the name of what holds it."""
        found: dict[tuple[str, int], tuple[str, Any]] = {}
        for root in self._roots():
            for name, module in root.named_modules():
                called = f"{type(module).__name__}.{name}".rstrip(".")
                hooks = {**module._forward_hooks, **module._forward_pre_hooks}
                found["hook", id(module)] = called, hooks
                if _reacts(module):
                    found["mode", id(module)] = called, module.training
                for own, parameter in module._parameters.items():
                    if parameter is not None:
                        flag = _requires_grad.__get__(parameter)
                        found["requires_grad", id(parameter)] = f"{called}.{own}", flag
        return found

    def _alters(self, before: Any, key: tuple[str, int], now: dict[Any, Any]) -> bool:
        added = [hook for number, hook in now[key][1].items() if number not in before]
        return any(id(hook) in self._altering for hook in added)

    def _note(self, kind: str, *holders: Any) -> None:
        if self._kept is None or self._log.ended or self._inside:
            return
        frames = [*_frames()]
        function = next((f.f_code.co_name for f in frames), "")
        known, at = frozenset(map(_of, frames)), users_line()
        if frames:
            self._writes += [_Write((kind, id(h)), known, function, at) for h in holders]

    def _seen(self, kind: str, method: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(method)
        def seen(thing: Any, *args: Any, **kwargs: Any) -> Any:
            outer, self._inside = self._inside, True
            try:
                found = method(thing, *args, **kwargs)
            finally:
                self._inside = outer
            self._note(kind, *(thing.modules() if isinstance(thing, nn.Module) else (thing,)))
            return found

        return seen

    def _get(self, parameter: Tensor) -> bool:
        return bool(_requires_grad.__get__(parameter))

    def _set(self, parameter: Tensor, value: bool) -> None:
        _requires_grad.__set__(parameter, value)
        self._note("requires_grad", parameter)

    def _registering(self, register: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(register)
        def registering(module: nn.Module, hook: Any, *args: Any, **kwargs: Any) -> Any:
            if self._kept is None:
                return register(module, hook, *args, **kwargs)

            @wraps(hook)
            def noting(*given: Any, **named: Any) -> Any:
                found = hook(*given, **named)
                if found is not None:
                    self._altering.add(id(noting))
                return found

            handle = register(module, noting, *args, **kwargs)
            self._note("hook", module)
            return handle

        return registering


def _difference(kind: str, before: Any, now: Any) -> str | None:
    """Return the kind of what an observation has left; None if nothing."""
    if kind == "hook":
        return "hook" if any(number not in before for number in now) else None
    if kind == "mode":  # one that stays in evaluation is judged by loop/modes
        return "mode" if now and not before else None
    return kind if before != now else None


def _reacts(module: nn.Module) -> bool:
    """Return whether the mode of a module may change what it computes."""
    if isinstance(module, nn.modules.batchnorm._NormBase):
        return True
    leaf = next(module.children(), None) is None and not module._parameters
    return leaf and isinstance(module, nn.modules.dropout._DropoutNd)


def _frames() -> Iterator[FrameType]:
    """Yield the frames of the user's functions, the innermost first."""
    for frame in callers():
        code = frame.f_code
        if not code.co_name.startswith("<") and is_user_code(code.co_filename):
            yield frame


def _is_context(frame: _Frame) -> bool:
    """Return whether a frame is a generator's: a context that something observes in, at its end."""
    return bool(frame[1].co_flags & CO_GENERATOR)


def _of(frame: FrameType) -> _Frame:
    return id(frame), frame.f_code
