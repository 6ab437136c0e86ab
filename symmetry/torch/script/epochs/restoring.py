"""States that a script copies, saves and loads, and whether a copy is more than another name."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from symmetry.base.patches import Patch
from symmetry.observe.source_line import SourceLine, asked_at
from symmetry.torch.script.epochs.log import Log, Numbers, digest_of
from symmetry.torch.state import memory_of
from symmetry.torch.watch.operations import tensors_in
from symmetry.training.events import Restored, Saved

_SEVERAL = 2  # tensors that are saved: a model, and no table of its own
_POSITION = ("epoch", "step", "iter", "global_step", "iteration", "n_iter")
_Place = tuple[int, tuple[int, ...], int]  # memory, shape and offset of a tensor


class _Taken(NamedTuple):
    """A state that ``state_dict()`` returned."""

    tensor: Tensor  # kept, so that its id stays its own
    at: SourceLine
    update: int
    loads: int  # into the same model before


class Restoring:
    """Sees where states are taken from models, and written back.

    Parameters
    ----------
    log
        Where events go.
    held
        Returns the parameters that optimisers hold.
    start
        Returns the names and digests of all parameters that training begins with.
    loaded
        Called with a module that a state was loaded into, and the names that this lacks.
    """

    def __init__(
        self,
        log: Log,
        held: Callable[[], list[Tensor]],
        start: Callable[[], tuple[tuple[str, str], ...]],
        loaded: Callable[[nn.Module, Iterable[str]], None],
    ) -> None:
        self._log, self._held, self._start, self._loaded = log, held, start, loaded
        self._taken: dict[int, _Taken] = {}
        self._models = Numbers()
        self._loads: Counter[int] = Counter()  # by model
        self._takes: defaultdict[SourceLine, set[int]] = defaultdict(set)  # updates, by line
        self._quiet = False
        self._copied: tuple[SourceLine, int, int, int] | None = (
            None  # line, update, tensors, own ones
        )
        self._lines: dict[SourceLine, int] = {}  # at which update each line copied last
        self._memory: set[int] = set()
        self._memory_at = -1

    def patches(self) -> Iterator[Patch]:
        """Yield what has to be replaced while the script runs."""
        yield nn.Module, "state_dict", self._seen_state(nn.Module.state_dict)
        yield nn.Module, "load_state_dict", self._seen_load(nn.Module.load_state_dict)
        yield Tensor, "copy_", self._seen_copy(Tensor.copy_)
        yield torch, "save", self._seen_save(torch.save)

    def _seen_state(self, state_dict: Callable[..., Any]) -> Callable[..., Any]:
        def seen_state(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
            state = state_dict(module, *args, **kwargs)
            if not (self._quiet or args or "destination" in kwargs):
                at, loads = asked_at(), self._loads[self._models.of(module)]
                self._takes[at].add(self._log.updates)
                for tensor in state.values():
                    if isinstance(tensor, Tensor):
                        self._taken[id(tensor)] = _Taken(tensor, at, self._log.updates, loads)
            return state

        return seen_state

    def _seen_load(self, load: Callable[..., Any]) -> Callable[..., Any]:
        def seen_load(module: nn.Module, state_dict: Any, *args: Any, **kwargs: Any) -> Any:
            at, own = asked_at(), {name: _where(t) for name, t in _state_of(module)}
            tensors = {n: t for n, t in _items(state_dict) if isinstance(t, Tensor) and t.numel()}
            shared = [n for n, t in tensors.items() if n in own and _where(t) == own[n]]
            taken = self._when(tensors.values())
            elsewhere: tuple[tuple[str, str], ...] = ()
            self._quiet = True
            try:
                loaded = load(module, state_dict, *args, **kwargs)
                elsewhere = _elsewhere(module, tensors)  # a name that raises is told already
                self._loaded(module, own.keys() - tensors.keys())
                return loaded
            finally:
                self._quiet = False
                model = self._models.of(module)
                self._loads[model] += 1
                self._log.add(
                    Restored,
                    at,
                    model=model,
                    tensors=len(tensors),
                    own=len(shared),
                    taken=taken.at if taken else None,
                    updates=self._log.updates - taken.update if taken else 0,
                    loads=self._loads[model] - 1 - taken.loads if taken else 0,
                    takes=len(self._takes[taken.at]) if taken else 0,
                    matched=len(own.keys() & tensors.keys()),
                    elsewhere=elsewhere,
                )

        return seen_load

    def _seen_copy(self, copy: Callable[..., Any]) -> Callable[..., Any]:
        def seen_copy(into: Tensor, *args: Any, **kwargs: Any) -> Any:
            if self._quiet:
                return copy(into, *args, **kwargs)
            source = next(iter((*args, *kwargs.values())), None)
            if isinstance(source, Tensor) and self._is_trained(into):
                self._note_copy(_where(source) == _where(into))
            self._quiet = True  # a mode of functions calls what stands in the class: this one
            try:
                return copy(into, *args, **kwargs)
            finally:
                self._quiet = False

        return seen_copy

    def _is_trained(self, tensor: Tensor) -> bool:
        """Return whether a tensor lies where a parameter does that an optimiser holds."""
        if tensor.numel() == 0 or tensor.layout is not torch.strided:
            return False
        if self._memory_at != self._log.updates:
            self._memory_at = self._log.updates
            self._memory = {memory_of(p) for p in self._held()}
        return memory_of(tensor) in self._memory

    def _note_copy(self, own: bool) -> None:
        """Count what a line copies into trained parameters, up to the next update or line."""
        at, update = asked_at(), self._log.updates
        if self._copied is not None and self._copied[:2] != (at, update):
            self.flush()
        _, _, tensors, before = self._copied or (at, update, 0, 0)
        self._copied = at, update, tensors + 1, before + own

    def flush(self) -> None:
        """Add the event of the copies that one line has made."""
        if self._copied is None:
            return
        at, update, tensors, own = self._copied
        self._copied = None
        since = update - self._lines.get(at, 0)
        self._lines[at] = update
        facts = {"tensors": tensors, "own": own, "taken": None, "updates": since}
        self._log.add(Restored, at, model=None, **facts)

    def _seen_save(self, save: Callable[..., Any]) -> Callable[..., Any]:
        def seen_save(obj: Any, *args: Any, **kwargs: Any) -> Any:
            at = asked_at()
            written = save(obj, *args, **kwargs)
            self._log.add(Saved, at, **self._facts_of(obj))
            return written

        return seen_save

    def _facts_of(self, saved: Any) -> dict[str, Any]:
        top = saved if isinstance(saved, Mapping) else {}
        tensors = tensors_in(saved.state_dict() if isinstance(saved, nn.Module) else saved)
        taken = self._when(tensors)
        older = taken is not None and 0 < taken.update < self._log.updates
        return {
            "keys": tuple(map(str, top))[:12],
            "position": any(str(key).lower() in _POSITION for key in top),
            "model": taken is not None or isinstance(saved, nn.Module),
            "optimizer": _has_optimizer(saved),
            "taken": taken.at if older and taken else None,
            "updates": self._log.updates - taken.update if older and taken else 0,
            "numbers": {str(key): value for key, value in top.items() if type(value) is int},
            "untrained": self._untrained([t for t in tensors if t.is_floating_point()]),
        }

    def _untrained(self, tensors: list[Tensor]) -> int:
        """Return how many tensors are saved, if all are untrained; 0 if one is not."""
        begun = {digest for _, digest in self._start()}
        are = len(tensors) >= _SEVERAL and all(digest_of([t]) in begun for t in tensors)
        return len(tensors) * (are and any(digest_of([p]) not in begun for p in self._held()))

    def _when(self, tensors: Any) -> _Taken | None:
        """Return when these tensors were taken by ``state_dict()``, if they were.

        A tensor in the memory of one, as ``v.detach()``, was taken when that was last returned.
        """
        found = next((self._taken[id(t)] for t in tensors if id(t) in self._taken), None)
        if found is None:
            places = {_where(t) for t in tensors if t.layout is torch.strided}
            known = (k for k in self._taken.values() if k.tensor.layout is torch.strided)
            alike = (each for each in known if _where(each.tensor) in places)
            found = max(alike, key=lambda each: each.update, default=None)
        return found


def _where(tensor: Tensor) -> _Place:
    return memory_of(tensor), tuple(tensor.shape), int(tensor.storage_offset())


def _state_of(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    for name, tensor in (*module.named_parameters(), *module.named_buffers()):
        if tensor.numel() and tensor.layout is torch.strided:
            yield name, tensor


def _elsewhere(module: nn.Module, tensors: Mapping[str, Tensor]) -> tuple[tuple[str, str], ...]:
    """Return the names that differ from those of tensors of a module by a prefix, and the latter.

    One of them has none; or, where no name is the module's, all have one prefix in place of
    another. Both tensors have the same shape, and no other one of the module fits.
    """
    matched = any(name in tensors for name, _ in _state_of(module))
    prefixes = {name.partition(".")[0] for name in tensors}
    renamed = not matched and len(prefixes) == 1
    own = {name: tuple(t.shape) for name, t in _state_of(module) if name not in tensors}
    found = []
    for name, tensor in tensors.items():
        fits = [
            other
            for other, shape in own.items()
            if shape == tuple(tensor.shape)
            and (
                name.endswith(f".{other}")
                or other.endswith(f".{name}")
                or (renamed and name.partition(".")[2] == other.partition(".")[2] != "")
            )
        ]
        found += [(name, fit) for fit in fits if len(fits) == 1]
    return tuple(found)


def _items(state: Any) -> list[tuple[str, Any]]:
    return [*state.items()] if isinstance(state, Mapping) else []


def _has_optimizer(saved: Any, depth: int = 3) -> bool:
    """Return whether the state of an optimiser is somewhere in what is saved."""
    if isinstance(saved, Mapping):
        if "param_groups" in saved:
            return True
        return bool(depth) and any(_has_optimizer(v, depth - 1) for v in saved.values())
    if isinstance(saved, list | tuple):
        return bool(depth) and any(_has_optimizer(v, depth - 1) for v in saved[:20])
    return isinstance(saved, torch.optim.Optimizer)
