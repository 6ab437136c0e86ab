"""The jitted calls of a script over shortened epochs.

The number of steps in an epoch is not known, so no epoch is cut. Instead only the first calls of a
function are computed. Later ones return the last results at once, until another function is called
in between, at least twice as rarely or as often.

    for epoch in range(9):
        for x, y in batches:                        1000 batches
            params, loss = step(params, x, y)       4 steps are computed, in each epoch
        accuracy = evaluate(params, test)           which the run reaches soon
"""

from __future__ import annotations

import hashlib
import time
import weakref
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, ClassVar
from unittest.mock import patch

import jax
import jax.numpy as jnp
import numpy as np

from symmetry.base.libraries import saving
from symmetry.jax.jaxprs.interpreter import is_key
from symmetry.jax.made import is_array, is_number
from symmetry.jax.script.calls import Enough
from symmetry.jax.script.jitted import Jitted
from symmetry.jax.script.jitting import Jitting
from symmetry.observe.source_line import SourceLine, users_line
from symmetry.sandbox.folder_mirror import FolderMirror

_OTHER = 2  # times as often: a function that is called so is no companion of another one
_LARGEST = 1 << 24  # bytes of an array whose bytes are compared

Made = tuple[int, int]  # the number of a call, and of one of its results


@dataclass(frozen=True)
class Variant:
    """A function with arguments of one tree, of the same shapes and constants."""

    jitted: Jitted
    tree: Any  # of the arguments, which are in a dictionary by their names
    leaves: tuple[Any, ...]  # an array by its shape and dtype
    results: list[tuple[int, ...]] = field(default_factory=list)  # their shapes

    @property
    def form(self) -> Hashable:
        """The function and the tree: a state that is read from a file may hold other arrays."""
        return id(self.jitted), self.tree


@dataclass
class LoopCall:
    """A call of a jitted function."""

    number: int
    variant: Variant
    at: SourceLine
    made: tuple[Made | None, ...]  # the result of a call that each argument is, if it is one
    digests: tuple[str, ...]  # of arguments that are no results; empty if they are no arrays
    is_computed: bool = True

    @property
    def jitted(self) -> Jitted:
        """The function."""
        return self.variant.jitted


@dataclass(frozen=True)
class ModeSwitch:
    """The mode of a model was switched: to training, or to evaluation."""

    at: SourceLine
    training: bool
    of_equinox: bool  # which makes another model


@dataclass(frozen=True)
class EagerDraw:
    """Random numbers were drawn by a key, outside of jitted functions."""

    at: SourceLine
    name: str  # the name of the function
    key: str  # a digest
    size: int  # how many numbers there are; 0 if it makes the key
    made: SourceLine  # where the key was made from a seed; empty if it was not


LoopEntry = LoopCall | ModeSwitch | EagerDraw


class LoopCalls(Jitting):
    """Records the calls of a script over shortened epochs.

    Parameters
    ----------
    seconds
        The CPU seconds that the run may take.

    Attributes
    ----------
    log
        The calls, switches of modes and draws, in their order.
    ended
        Why the run ended; empty at the end of the script.
    is_limited
        Whether that is because it took too long.
    mirror
        The mirror that the script writes into.
    has_saved
        Whether a function that saves was called.
    without_seed
        The libraries whose shared random numbers were drawn and never seeded.
    """

    most: ClassVar[int] = 40  # updates that are computed
    computed: ClassVar[int] = 4  # calls of a function one after the other, at most

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.log: list[LoopEntry] = []
        self.ended, self.is_limited = "", False
        self.mirror: FolderMirror | None = None
        self.has_saved = self._is_saving = False
        self.without_seed: list[str] = []
        self._until, self._seconds = time.process_time() + seconds, seconds
        self._variants: dict[Hashable, Variant] = {}
        self._calls = 0
        self._own: Counter[int] = Counter()  # computed calls with results of the function itself
        self._often: Counter[int] = Counter()
        self._since: Counter[int] = Counter()  # calls since one of no companion
        # By function: its last computed call, and the tree and leaves of the results.
        self._last: dict[int, tuple[LoopCall, Any, list[Any]]] = {}
        self._donated: dict[int, list[int]] = {}  # by function: the arguments that it deletes
        self._made: dict[int, Made] = {}
        self._digests: dict[int, tuple[Any, str]] = {}

    @contextmanager
    def watching(self) -> Iterator[None]:
        """See the calls of jitted functions, and saves, while the block runs."""
        with super().watching(), ExitStack() as stack:
            for owner, name in saving():
                stack.enter_context(patch.object(owner, name, self._seen(getattr(owner, name))))
            yield

    def _seen(self, save: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(save)
        def seen(*args: Any, **kwargs: Any) -> Any:
            if self._is_saving:  # by another function of these
                return save(*args, **kwargs)
            self._is_saving = True
            try:
                result = save(*args, **kwargs)
            finally:
                self._is_saving = False
            self._see(args)
            return result

        return seen

    def _see(self, args: Sequence[Any]) -> None:  # noqa: ARG002
        """See that a function has saved."""
        self.has_saved = True

    def _recorded(
        self,
        jitted: Jitted,
        arguments: Mapping[str, Any],
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
    ) -> Any:
        self._end_in_time()
        call = self._noted(jitted, arguments)
        leaves = jax.tree.leaves(arguments)
        if self._is_repeated(call) and not any(map(_is_deleted, leaves)):
            call.is_computed = False
            return self._last_again(jitted, leaves)
        returned = jitted.call(*args, **kwargs)
        self._donated[id(jitted)] = [n for n, leaf in enumerate(leaves) if _is_deleted(leaf)]
        self._keep(call, returned)
        return returned

    def _last_again(self, jitted: Jitted, given: Sequence[Any]) -> Any:
        """Return the last results of a function; arguments that it is donated are deleted."""
        last, tree, leaves = self._last[id(jitted)]
        donated = [given[number] for number in self._donated[id(jitted)]]
        if not donated:
            return jax.tree.unflatten(tree, leaves)
        returned = jax.tree.unflatten(tree, [*map(_copy, leaves)])  # they may be donated, too
        for leaf in donated:
            leaf.delete()
        self._keep(last, returned)
        return returned

    def _end_in_time(self) -> None:
        """End the script where it has taken enough updates, or too long."""
        if max(self._own.values(), default=0) >= self.most:
            self.ended = f"after {self.most} updates"
        elif time.process_time() > self._until:
            self.ended, self.is_limited = f"after {self._seconds:.0f} CPU seconds", True
        if self.ended:
            raise Enough

    def _noted(self, jitted: Jitted, arguments: Mapping[str, Any]) -> LoopCall:
        leaves, tree = jax.tree.flatten(arguments)
        own = jitted.arguments.static
        fixed = jax.tree.leaves({name: value for name, value in arguments.items() if name in own})
        key = id(jitted), tree, *map(_kind, leaves), *map(_constant, fixed)
        shapes = tuple(map(_shape, leaves))
        variant = self._variants.setdefault(key, Variant(jitted, tree, shapes))
        made = tuple(self._made.get(id(leaf)) if is_array(leaf) else None for leaf in leaves)
        call = LoopCall(
            *(self._calls, variant, users_line(), made),
            digests=tuple(
                "" if maker else self._digest(leaf)
                for maker, leaf in zip(made, leaves, strict=True)
            ),
        )
        self.log.append(call)
        self._calls += 1
        return call

    def _is_repeated(self, call: LoopCall) -> bool:
        """Return whether a call returns the last results of its function once more."""
        mine = id(call.jitted)
        self._often[mine] += 1
        for other, often in self._often.items():
            low, high = sorted((often, self._often[mine]))
            if other != mine and high >= _OTHER * low:
                self._since[other] = 0
        self._since[mine] += 1
        last = self._last.get(mine)
        if (
            last is None
            or self._since[mine] <= self.computed
            or last[0].variant is not call.variant
        ):
            own = last is not None and any(m and m[0] == last[0].number for m in call.made)
            self._own[mine] += own
            return False
        return not any(map(_is_deleted, last[2]))

    def _keep(self, call: LoopCall, returned: Any) -> None:
        """Remember the results of a call, which are the arguments of later ones."""
        mine = id(call.jitted)
        if mine in self._last:
            for result in self._last[mine][2]:
                self._made.pop(id(result), None)
        leaves, tree = jax.tree.flatten(returned)
        self._last[mine] = call, tree, leaves
        call.variant.results[:] = map(np.shape, leaves)
        for number, leaf in enumerate(leaves):
            if isinstance(leaf, jax.Array):
                self._made[id(leaf)] = call.number, number

    def _digest(self, leaf: Any) -> str:
        """Return a digest of the bytes of an array; empty if it is large, or no array."""
        if not is_array(leaf) or leaf.nbytes > _LARGEST:
            return ""
        if isinstance(leaf, np.ndarray | np.generic):  # it may be filled anew
            return digest_of(leaf)
        known = self._digests.get(id(leaf))
        if known is None or known[0]() is not leaf:
            known = self._digests[id(leaf)] = weakref.ref(leaf), digest_of(leaf)
        return known[1]


def digest_of(array: Any) -> str:
    """Return a digest of the bytes of an array, or of keys."""
    plain = np.asarray(jax.random.key_data(array) if is_key(array.dtype) else array)
    return hashlib.blake2b(plain.tobytes(), digest_size=8).hexdigest()


def _is_deleted(leaf: Any) -> bool:
    """Return whether it is an array that was donated to a function."""
    return isinstance(leaf, jax.Array) and leaf.is_deleted()


def _copy(leaf: Any) -> Any:
    return jnp.copy(leaf) if isinstance(leaf, jax.Array) else leaf


def _kind(leaf: Any) -> Hashable:
    """Return the part of an argument that compiles a function anew."""
    if is_number(leaf):
        return (np.shape(leaf), str(leaf.dtype)) if is_array(leaf) else type(leaf).__name__
    return _constant(leaf)


def _constant(leaf: Any) -> Hashable:
    """Return an argument that is compiled as a constant, to be compared with others."""
    return leaf if isinstance(leaf, Hashable) else id(leaf)


def _shape(leaf: Any) -> Any:
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) if is_array(leaf) else leaf
