"""The calls of a script's models: in which mode, on which batch, and whether the result is used."""

from __future__ import annotations

import dis
import threading
from collections.abc import Callable, Collection, Iterator
from types import CodeType, FrameType
from typing import Any

import torch
from torch import Tensor, nn

from symmetry.base.patches import Patch
from symmetry.base.user_code import callers, is_user_code
from symmetry.observe.source_line import SourceLine, asked_at
from symmetry.torch.script.epochs.batches.loaders import RecentBatches
from symmetry.torch.script.epochs.log import Log, Numbers, digest_of, shapes_of, tensors_of
from symmetry.torch.script.epochs.measuring import Measuring
from symmetry.torch.script.epochs.ratios import Ratios
from symmetry.torch.script.epochs.scores import Scores
from symmetry.torch.watch.calls import is_plain
from symmetry.training.events import Called, Model, Switched


class Drift:
    """Remembers frozen modules with running statistics as they were when they were first called."""

    def __init__(self) -> None:
        self._first: dict[int, tuple[nn.Module, list[Tensor], list[Tensor]]] = {}
        self._called: dict[int, SourceLine] = {}

    def see(self, model: nn.Module, at: SourceLine) -> None:
        """Look at a model that is about to be called."""
        for module in _frozen(model):
            if module.training:
                if id(module) not in self._first:
                    self._first[id(module)] = module, _copies(module.parameters()), _moving(module)
                self._called.setdefault(id(module), at)

    def of(self, model: nn.Module) -> tuple[tuple[str, ...], SourceLine | None]:
        """Return the names of statistics that have moved alone, and where the model was called."""
        names = [name for name, module in model.named_modules() if self._moved(module)]
        called = (self._called[id(m)] for m in model.modules() if self._moved(m))
        return tuple(names), next(called, None)

    def _moved(self, module: nn.Module) -> bool:
        if id(module) not in self._first or module not in _frozen(module):
            return False
        _, parameters, statistics = self._first[id(module)]
        same = all(map(torch.equal, parameters, module.parameters()))
        return same and not all(map(torch.equal, statistics, _moving(module)))


def _frozen(model: nn.Module) -> list[Any]:
    """Return the modules whose parameters are all frozen, and that keep running statistics."""
    return [
        module
        for module in model.modules()
        if isinstance(module, nn.modules.batchnorm._NormBase) and module.track_running_stats
        if module.affine and not any(p.requires_grad for p in module.parameters())
    ]


def _copies(tensors: Any) -> list[Tensor]:
    return [tensor.detach().clone() for tensor in tensors]


def _moving(module: nn.Module) -> list[Tensor]:
    return _copies(t for t in (module.running_mean, module.running_var) if t is not None)


_call, _call_impl = nn.Module.__call__, nn.Module._call_impl
_next_node = torch.autograd._get_sequence_nr  # the number of the next node of a graph

Arguments = tuple[tuple[Any, ...], dict[str, Any]]


class Forwards:
    """Sees the calls of modules that are in no other call, and their switches of mode.

    Parameters
    ----------
    log
        Where events go.
    recent
        The batches that they may be called with.
    measuring
        Measures what they return.
    scores, ratios
        Follow what they return.
    held
        Returns the ids of the parameters that optimisers hold.
    begin
        Called before the first call.
    before
        Called before each call.
    """

    def __init__(
        self,
        log: Log,
        recent: RecentBatches,
        measuring: Measuring,
        scores: Scores,
        ratios: Ratios,
        held: Callable[[], set[int]],
        begin: Callable[[], None],
        before: Callable[[], None],
    ) -> None:
        self._log, self._recent, self._measuring, self._held = log, recent, measuring, held
        self._scores, self._ratios = scores, ratios
        self._begin, self._begun, self._before = begin, False, before
        self._models, self._drift = Numbers(), Drift()
        self._inside = self._switching = False
        self._last: dict[int, tuple[nn.Module, Arguments]] = {}
        # A forward that the script has called itself, while its layers are called; and its event.
        self._direct: tuple[FrameType, int] | None = None
        self._thread = threading.get_ident()

    def patches(self) -> Iterator[Patch]:
        """Yield what has to be replaced while the script runs."""
        yield nn.Module, "__call__", self._seen_call
        yield nn.Module, "train", self._seen_train(nn.Module.train)

    @property
    def _seen_call(self) -> Callable[..., Any]:
        def seen_call(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
            if self._inside or self._log.ended or not self._counts(module):
                return _call(module, *args, **kwargs)
            self._before()
            event, first = self._event_of(module, args, kwargs), _next_node()
            self._inside = True
            nn.Module.__call__ = _call  # what torch.compile looks for
            try:
                found = _call(module, *args, **kwargs)
            finally:
                self._inside = False
                nn.Module.__call__ = seen_call
            self._log.called(event, first, _next_node())
            self._scores.see(event, (args, kwargs), found, gradient=torch.is_grad_enabled())
            self._ratios.called(event, module, tensors_of(found))
            self._measuring.see("forward", type(module).__name__, found)
            return found

        return seen_call

    def _counts(self, module: nn.Module) -> bool:
        """Return whether a call is one of a model: not of a loss, nor computed again."""
        if threading.get_ident() != self._thread or torch.jit.is_tracing() or not is_plain():
            return False
        return next(module.parameters(), None) is not None

    def _event_of(self, module: nn.Module, args: Any, kwargs: Any) -> int:
        """Return the number of the event of a call; a layer is part of its model's forward."""
        frame = _direct_forward(module)
        if frame is None:
            self._see(module, args, kwargs, asked_at())
            return len(self._log.events) - 1
        if self._direct is None or self._direct[0] is not frame:
            names = frame.f_code.co_varnames[1 : frame.f_code.co_argcount]
            given = tuple(frame.f_locals.get(name) for name in names)
            self._see(frame.f_locals["self"], given, {}, asked_at(frame), frame)
            self._direct = frame, len(self._log.events) - 1
        return self._direct[1]

    def _see(
        self,
        module: nn.Module,
        args: Any,
        kwargs: Any,
        at: SourceLine,
        frame: FrameType | None = None,
    ) -> None:
        if not self._begun:
            self._begun = True
            self._begin()
        self._direct = None
        self._models.look(module)
        self._last.pop(id(module), None)
        self._last[id(module)] = module, (args, kwargs)
        batch, loader = self._recent.batch_of((args, kwargs))
        dropouts, statistics = reacting(module)
        self._drift.see(module, at)
        self._log.add(
            Called,
            at,
            model=self._models.of(module),
            gradient=torch.is_grad_enabled(),
            training=module.training,
            dropouts=tuple(name for name, m in dropouts if m.training),
            statistics=tuple(name for name, m in statistics if m.training),
            batch=batch,
            loader=loader,
            is_used=_is_used(frame),
            shapes=shapes_of((args, kwargs)),
            digest=digest_of((args, kwargs)),
            rows=self._scores.rows_in((args, kwargs)),
        )

    def _seen_train(self, train: Callable[..., Any]) -> Callable[..., Any]:
        def seen_train(module: nn.Module, mode: bool = True) -> Any:
            if self._switching or self._inside or threading.get_ident() != self._thread:
                return train(module, mode)
            self._switching, was = True, module.training
            try:
                switched = train(module, mode)
            finally:
                self._switching = False
            if next(module.parameters(), None) is not None:
                self._log.add(
                    Switched,
                    model=self._models.of(module),
                    training=bool(mode),
                    was_training=was,
                )
            return switched

        return seen_train

    def records(self, followers: Collection[int] = ()) -> tuple[Model, ...]:
        """Return what is known of the models; ``followers`` has the ids of those that follow."""
        models = enumerate(self._models)
        return tuple(self._record(n, m, follows=id(m) in followers) for n, m in models)

    def _record(self, number: int, model: nn.Module, *, follows: bool) -> Model:
        held = self._held()
        dropouts, statistics = reacting(model)
        drifting, called = self._drift.of(model)
        return Model(
            number=number,
            name=type(model).__name__,
            variable=self._models.name_of(number),
            parameters=sum(p.numel() for p in model.parameters()),
            is_trained=any(id(p) in held for p in model.parameters()),
            follows=follows,
            dropouts=len(dropouts),
            statistics=len(statistics),
            drifting=drifting,
            called=called,
        )

    @property
    def called(self) -> list[tuple[nn.Module, Arguments]]:
        """The modules that were called, with the arguments of each last call, in this order."""
        return [*self._last.values()]

    def models(self) -> list[nn.Module]:
        """Return the models that were called, or switched."""
        return [*self._models]


def reacting(
    model: nn.Module,
) -> tuple[list[tuple[str, nn.Module]], list[tuple[str, nn.Module]]]:
    """Return the dropouts of a model, and its modules with running statistics, by name."""
    dropouts, statistics = [], []
    for name, module in model.named_modules():
        if _drops_out(module):
            dropouts.append((name, module))
        elif isinstance(module, nn.modules.batchnorm._NormBase) and module.track_running_stats:
            statistics.append((name, module))
    return dropouts, statistics


def _drops_out(module: nn.Module) -> bool:
    if isinstance(module, nn.modules.dropout._DropoutNd):
        return bool(module.p > 0)
    return isinstance(module, nn.RNNBase | nn.MultiheadAttention) and bool(module.dropout)


def _direct_forward(module: nn.Module) -> FrameType | None:
    """Return the outermost forward that runs and whose model holds a module.

    The script has called it as ``model.forward(x)``; otherwise the model itself is called first.
    """
    found = None
    for frame in callers():
        owner = frame.f_locals.get("self") if frame.f_code.co_name == "forward" else None
        if isinstance(owner, nn.Module) and any(each is module for each in owner.modules()):
            found = frame
    return found


def _is_used(beyond: FrameType | None = None) -> bool:
    """Return whether the user's line does anything with what a call returns."""
    frame = next((f for f in callers(beyond) if is_user_code(f.f_code.co_filename)), None)
    return frame is None or not _throws_away(frame.f_code, frame.f_lasti)


def _throws_away(code: CodeType, instruction: int) -> bool:
    """Return whether the result of a call is popped off the stack right behind it."""
    following = iter(dis.get_instructions(code))
    for each in following:
        if each.offset == instruction:
            break
    return next((each.opname == "POP_TOP" for each in following if each.opname != "CACHE"), False)
