"""How the losses of a PyTorch run depend on its parameters: see ``Flowing``.

Views that name the axes of a tensor in another order mix its entries.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakIdKeyDictionary

from symmetry.observe.source_line import users_line
from symmetry.torch.graph import leaves_of, nodes_of
from symmetry.torch.watch.functions import results
from symmetry.training.capabilities.flowing import (
    FLAT,
    Cut,
    Flow,
    Flowing,
    LossTarget,
    PermutingView,
)
from symmetry.training.capabilities.step_events import StepEvents

_VIEWS = {"view", "reshape"}


@contextmanager
def permuting_views() -> Iterator[list[PermutingView]]:
    """Collect each view or reshape whose shape has its input's distinct sizes in another order.

    One of them may be split meanwhile, as heads are, or two may be joined; or the channels of a
    convolution are taken for the last axis.
    """
    found: list[PermutingView] = []

    def see(func: Any, args: Sequence[Any], _kwargs: Any, result: Any) -> None:
        if getattr(func, "__name__", "") in _VIEWS and isinstance(result, Tensor):
            before, after = args[0].shape, result.shape
            split = _splits(before, after) or _splits(after, before)
            if split or _is_permuted(before, after) or _straddles(before, after):
                found.append(PermutingView(tuple(before), tuple(after), users_line()))

    with results(see):
        yield found


def _is_permuted(before: Sequence[int], after: Sequence[int]) -> bool:
    """Return whether a shape is another order of a shape whose sizes differ; ones do not count."""
    old, new = _long(before), _long(after)
    return old != new and sorted(old) == sorted(new) and len({*old}) == len(old)


def _splits(whole: Sequence[int], split: Sequence[int]) -> bool:
    """Return whether a size moves in between the factors of its neighbour: 10, 32 to 4, 10, 8.

    All of these sizes differ, so no other view of them is meant.
    """
    old, new = _long(whole), _long(split)
    if len(new) != len(old) + 1:
        return False
    for place, pair in enumerate(pairwise(old)):
        first, between, last = new[place : place + 3]
        differ = len({*pair, first, last}) == len((*pair, first, last))
        others = old[:place] + old[place + 2 :]
        if (
            sorted(pair) == sorted((between, first * last))
            and differ
            and others == new[:place] + new[place + 3 :]
        ):
            return True
    return False


def _straddles(before: Sequence[int], after: Sequence[int]) -> bool:
    """Return whether channels are cut as if they came last: 8, 12, 6, 6 to 8, 108, 4.

    A row then has neither the channels of one place nor whole parts of the lines of an image.
    """
    if len(before) != 4 or len(after) not in (2, 3):
        return False
    channels, width, row = before[1], before[3], after[-1]
    whole = row == channels if len(after) == 2 else after[0] == before[0] and channels % row == 0
    return whole and row > 1 and width % row > 0 and row % width > 0


def _long(shape: Sequence[int]) -> list[int]:
    return [size for size in shape if size > 1]


_OPERATION = re.compile(r"Backward\d*$")
# Functions whose result is no number of a tensor, or is no part of the forward.
_ASIDE = {"backward", "grad", "register_hook", "retain_grad", "__setitem__", "zero_", "__set__"}
_GRAD = "torch.autograd.grad()"
# These take the dtype, the device and perhaps the shape of their first argument, and no number.
_FORMS = {"zeros_like", "ones_like", "full_like", "empty_like", "rand_like", "randn_like"}
_FORMS |= {"new_tensor", "new_zeros", "new_ones", "new_full", "new_empty"}
_READ = {"data", "T", "mT", "H", "mH", "real", "imag"}  # attributes that are tensors made of it
_ELEMENTWISE = {"mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"}
_SUMS = {"add", "add_", "sub", "sub_", "rsub", "__add__", "__radd__", "__iadd__", "__sub__"}
_SUMS |= {"__rsub__", "__isub__"}
_FLAT = {"round", "sign", "sgn", "floor", "ceil", "trunc", "floor_divide"}
NUMBERS = ("torch.tensor()", "torch.as_tensor()", "item()")
# The cure for an operation that cuts the gradient off.
_CURES = {
    "torch.tensor()": "it copies the numbers and not how they were made: use torch.stack()",
    "torch.as_tensor()": "it copies the numbers and not how they were made: use torch.stack()",
    "torch.no_grad()": "nothing is recorded there: leave that block out",
    "item()": "it returns a plain number: leave it out on the way to the loss",
    "detach()": "leave it out on the way to the loss",
    "argmax()": "it has no derivative: give the loss the scores themselves",
    **{f"{name}()": FLAT for name in _FLAT},
}


class TorchFlowing(Flowing):
    """Sees the steps of one run that are taken while one of its blocks runs.

    Parameters
    ----------
    model, parameters
        What is trained, and its parameters by name.
    events
        Those of the run.
    """

    def __init__(
        self, model: nn.Module, parameters: Mapping[str, nn.Parameter], events: StepEvents
    ) -> None:
        self._model, self._parameters, self._events = model, parameters, events

    @contextmanager
    def followed(self, names: frozenset[str]) -> Iterator[FollowedParameters]:
        """Follow the parameters of these names."""
        followed = FollowedParameters(p for name, p in self._parameters.items() if name in names)
        with results(followed.see), self._events.listening(on_loss=followed.on_loss):
            yield followed

    def permuting_views(self) -> AbstractContextManager[list[PermutingView]]:
        """Collect the views that name axes in another order."""
        return permuting_views()

    @contextmanager
    def first_not_finite(self) -> Iterator[list[str]]:
        """Collect the operation whose derivative makes the first number that is not finite."""
        found = list[str]()

        def see(name: str, made: Iterable[Tensor | None], given: Iterable[Tensor | None]) -> None:
            if not found and _finite(given) and not _finite(made):
                found.append(_OPERATION.sub("", name).lower())

        def hook(loss: Tensor) -> None:
            for node in nodes_of([loss]):
                node.register_hook(partial(see, node.name()))

        with self._events.listening(on_loss=hook):
            yield found

    @property
    def repeated_modules(self) -> tuple[str, ...]:
        """Paths of modules with parameters that one container holds several times."""
        found: list[str] = []
        for path, container in self._model.named_modules():
            if not isinstance(container, nn.Sequential | nn.ModuleList):
                continue
            seen: set[int] = set()
            for name, module in container._modules.items():
                trained = module is not None and any(True for _ in module.parameters())
                if trained and id(module) in seen:
                    found.append(f"{path}.{name}".strip("."))
                seen.add(id(module))
        return tuple(found)

    def networks(self) -> tuple[str, ...]:
        """Return the paths of several networks of their own, which are in an ``nn.ModuleDict``."""
        own = isinstance(self._model, nn.ModuleDict)
        return tuple(f"model.{name}." for name, _ in self._model.named_children()) if own else ()


class _Followed(NamedTuple):
    """A tensor that was computed from parameters: whether the gradient still flows."""

    cut: Cut | None  # where the gradient was cut off; None: it still flows
    terms: tuple[Cut, ...] = ()  # sums on the way that had a term without gradient


class FollowedParameters:
    """Follows the results of functions on some parameters, up to the losses.

    It also follows them behind operations that cut the gradient off.

    Parameters
    ----------
    parameters
        The parameters that are followed.
    """

    def __init__(self, parameters: Iterable[Tensor]) -> None:
        self._known = WeakIdKeyDictionary()
        self._sources = {id(parameter): parameter for parameter in parameters}
        self._numbers: dict[float, _Followed] = {}  # plain numbers that were read off tensors
        self._targets: list[LossTarget] = []
        self._losses: list[_Followed | None] = []

    def on_loss(self, loss: Tensor) -> None:
        """Remember what is known of a loss, before its backward."""
        self._losses.append(self._known.get(loss))

    @property
    def flow(self) -> Flow:
        """The flow in the steps so far."""
        followed = [each for each in self._losses if each is not None]
        terms = dict.fromkeys(term for each in followed for term in each.terms)
        cuts = dict.fromkeys(each.cut for each in followed if each.cut is not None)
        return Flow(tuple(cuts), tuple(terms), tuple(self._targets))

    def see(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> Any:
        """Follow the arguments of a function into its result; return one that is followed on."""
        name = _name(func)
        if name in _ELEMENTWISE:
            self._see_target(name, args, kwargs)
        if func is torch.autograd.grad and not (kwargs.get("create_graph") or any(args[4:5])):
            outputs = kwargs.get("outputs", args[:1])
            self._follow(_GRAD, [*tree_leaves(outputs)], result)
        elif name not in _ASIDE:
            taken = args[1:] if name in _FORMS else args
            with suppress(RuntimeError):  # of a view that an update writes into nothing may be read
                found = self._follow(name, [*tree_leaves((taken, kwargs))], result)
                if name == "item" and isinstance(result, float) and found is not None:
                    return _Number.of(result, found)
        return None

    def _follow(self, name: str, given: list[Any], result: Any) -> _Followed | None:
        """Remember what is known of a result, and return it."""
        sources = [each for each in map(self._of, given) if each is not None]
        if not sources:
            return None
        here: Cut | None = None
        made = [leaf for leaf in tree_leaves(result) if isinstance(leaf, (Tensor, float))]
        cut: Cut | None = None
        if all(source.cut is not None for source in sources):
            cut = sources[0].cut
        terms = tuple(dict.fromkeys(term for source in sources for term in source.terms))
        if name in _SUMS and all(_is_scalar(leaf) for leaf in (*given[:2], *made)):
            live = any(source.cut is None for source in sources)
            cuts = [source.cut for source in sources if live and source.cut is not None]
            terms += tuple(each for each in cuts if each.cure != FLAT)  # x - floor(x) is no mistake
        for leaf in made:
            if id(leaf) in self._sources:  # an update writes into it
                continue
            flows = isinstance(leaf, Tensor) and leaf.grad_fn is not None
            flows = flows and name.strip("_") not in _FLAT
            here = cut or (None if flows else _cut(_word(name)))
            if isinstance(leaf, Tensor):
                self._known[leaf] = _Followed(here, terms)
            elif math.isfinite(leaf) and not leaf.is_integer():  # 0 and 1 are anybody's
                self._numbers[leaf] = _Followed(here, terms)
        return _Followed(here, terms)

    def _of(self, value: Any) -> _Followed | None:
        """Return what is known of an argument."""
        if id(value) in self._sources:
            return _Followed(None)
        if isinstance(value, Tensor):
            found: _Followed | None = self._known.get(value)
            return found
        if isinstance(value, _Number):
            return value.followed
        return self._numbers.get(value) if isinstance(value, float) else None

    def _see_target(self, name: str, args: Any, kwargs: Mapping[str, Any]) -> None:
        """See a target that a backward goes through, of the parameters that the output has."""
        named = dict(zip(("input", "target"), args, strict=False)) | dict(kwargs)
        output, target = named.get("input"), named.get("target")
        if not (isinstance(output, Tensor) and isinstance(target, Tensor)):
            return
        if not (output.requires_grad and target.grad_fn is not None):
            return
        shared = {*map(id, leaves_of([output]))} & {*map(id, leaves_of([target]))}
        if shared:
            self._targets.append(LossTarget(name, users_line()))


class _Number(float):
    """A number that was read off a tensor: the sums and products that Python makes are followed."""

    followed: _Followed

    @classmethod
    def of(cls, value: float, followed: _Followed) -> _Number:
        number = cls(value)
        number.followed = followed
        return number

    def __reduce__(self) -> tuple[Any, ...]:
        return float, (float(self),)


def _arithmetic(name: str) -> Callable[..., Any]:
    plain = getattr(float, name)

    def method(self: _Number, *other: Any) -> Any:
        result = plain(self, *other)
        return _Number.of(result, self.followed) if isinstance(result, float) else result

    return method


for _name_of in ("add", "radd", "sub", "rsub", "mul", "rmul", "truediv", "neg"):
    setattr(_Number, f"__{_name_of}__", _arithmetic(f"__{_name_of}__"))


def _finite(gradients: Iterable[Tensor | None]) -> bool:
    return all(bool(g.isfinite().all()) for g in gradients if g is not None)


def _cut(operation: str) -> Cut:
    cure = _CURES.get(operation, "")
    return Cut(operation, users_line(), cure, numbers=operation in NUMBERS)


def _name(func: Any) -> str:
    """Return the name of a function; for a getter, the name of its attribute."""
    name: str = getattr(func, "__name__", "")
    if name == "__get__":
        attribute: str = getattr(getattr(func, "__self__", None), "__name__", "")
        return attribute if attribute in _READ else "__set__"
    return name


def operation_of(func: Any) -> str:
    """Return a function as the user has written it: ``detach()``."""
    return _word(_name(func))


def _word(name: str) -> str:
    """Return what cuts the gradient off, as the user has written it."""
    if name == _GRAD:
        return f"{_GRAD} without create_graph=True"
    if not torch.is_grad_enabled() and name not in ("detach", "item", "tolist", "numpy"):
        return "torch.no_grad()"
    return {
        "__float__": "float()",
        "data": ".data",
        "tensor": "torch.tensor()",
        "as_tensor": "torch.as_tensor()",
    }.get(name, f"{name.strip('_')}()")


def _is_scalar(value: Any) -> bool:
    return isinstance(value, float) or (isinstance(value, Tensor) and value.numel() == 1)
