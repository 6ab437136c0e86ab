"""Custom derivatives: what the backward of a user's ``autograd.Function`` claims, and differences.

    class Double(torch.autograd.Function):
        forward(ctx, x):  return 2 * x        differences of the forward along a direction d: 2 * d
        backward(ctx, g): return g            what its backward claims:                       1 * d

The arguments of the first call of each class are kept while a step is taken. Afterwards the class
is called again on copies of them in float64.

The operations that a forward performs decide whether it is smooth in its arguments.
"""

from __future__ import annotations

import inspect
import linecache
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import Function, _SingleLevelFunction
from torch.utils._pytree import tree_map

from symmetry.base.patches import Patch, patched
from symmetry.base.raised import in_one_line
from symmetry.base.randomness import generators
from symmetry.base.user_code import is_user_code
from symmetry.observe.source_line import SourceLine
from symmetry.torch.modes.dtypes import widened
from symmetry.torch.state import memory_of
from symmetry.torch.watch.operations import Observer, Operation, Recorder, name_of, tensors_in
from symmetry.training.trial import HANDS_INPUT_ON, READS_ELSE, CustomFunction, Slope

# Backward has to be the derivative of these wherever they have one. That of kinks (relu, abs, max,
# where) is meant, too: differences do not meet them.
_MOVES = """t transpose permute view _unsafe_view reshape _reshape_alias alias detach as_strided
expand unsqueeze squeeze select slice split split_with_sizes unsafe_split unbind cat stack flip roll
unfold constant_pad_nd clone copy_ contiguous _to_copy to lift_fresh gather index index_select
scatter scatter_add repeat diagonal tril triu"""
_FILLS = """empty empty_like zeros zeros_like ones ones_like new_zeros new_empty new_ones full
full_like new_full arange eye fill_ zero_ scalar_tensor item _local_scalar_dense isnan"""
_FUNCTIONS = """mm bmm addmm baddbmm addbmm matmul mv dot addmv einsum linear convolution add sub
rsub mul div neg reciprocal pow square sqrt rsqrt exp exp2 expm1 log log2 log10 log1p tanh sigmoid
softplus silu gelu elu mish erf erfc sin cos tan atan sinh cosh asinh sum mean prod var std var_mean
norm linalg_vector_norm cumsum logsumexp _softmax _log_softmax native_layer_norm native_group_norm
addcmul addcdiv lerp mse_loss nll_loss_forward native_dropout add_ sub_ mul_ div_ neg_ exp_ tanh_
sigmoid_ pow_ sqrt_ rsqrt_"""
_KINKS = """max amax min amin maximum minimum relu relu_ threshold leaky_relu abs where gt lt ge le
eq ne logical_not logical_and logical_or bitwise_and bitwise_or bitwise_not masked_fill masked_fill_
any all"""
SMOOTH = frozenset(" ".join((_MOVES, _FILLS, _FUNCTIONS, _KINKS)).split())
# Their gradient may be another one on purpose: a straight-through or a surrogate gradient.
_ROUNDS = """round round_ sign sgn floor floor_ ceil ceil_ trunc frac fmod remainder heaviside
argmax argmin sort topk one_hot"""
_CLAMPS = "clamp clamp_ clamp_min clamp_min_ clamp_max clamp_max_ hardtanh"
_DRAWS = """bernoulli bernoulli_ multinomial rand rand_like randn randn_like randint normal_
uniform_"""
_DISCRETE = frozenset(" ".join((_ROUNDS, _CLAMPS, _DRAWS)).split())


class ReadOperations(Observer):
    """Sees what operations are performed, and the tensors that they read.

    Parameters
    ----------
    arguments
        The tensors that results may depend on.
    """

    def __init__(self, arguments: Sequence[Tensor]) -> None:
        # Why a backward need not be the derivative of these operations; empty if it has to be.
        self.why_not = ""
        self._kept: list[Tensor] = []  # so that no memory is used twice
        self._read: set[int] = set()
        self._made: set[int] = set()
        self._given = {*map(memory_of, arguments)}
        self._depends = {*self._given}

    def after(self, operation: Operation) -> None:
        """See what it reads, and what depends on the arguments."""
        read, made = operation.operands, operation.results
        self._kept += [*read, *made]
        self._read.update(map(memory_of, read))
        if any(memory_of(t) in self._depends for t in read):
            self.why_not = self.why_not or _judged(operation, self._depends)
            self._depends.update(map(memory_of, made))
        self._made.update(map(memory_of, made))

    def reads(self, tensor: Tensor) -> bool:
        """Return whether an operation reads a tensor."""
        return memory_of(tensor) in self._read

    def reads_more(self, other: ReadOperations) -> bool:
        """Return whether it reads a tensor of several entries that nothing made, and other not."""
        known = other._read | other._made | self._made | self._given
        return any(memory_of(t) not in known for t in self._kept if t.numel() > 1)


def _judged(operation: Operation, depends: Container[int]) -> str:
    """Say why an operation need not be smooth in what depends on the arguments, by its memory."""
    name = name_of(operation.func)
    if name in _DISCRETE:
        return f"its forward rounds, clamps or draws ({operation.base})"
    if name not in SMOOTH:
        return f"its forward uses {name}, which is not known to be smooth"
    numbers = [t for t in operation.operands if t.is_floating_point()]
    becomes = any(t.is_floating_point() for t in operation.results)
    if becomes and not any(memory_of(t) in depends for t in numbers):
        return f"its forward makes numbers of comparisons ({name})"
    return ""


_H = 1e-5  # of the differences, by the largest entry
_LEAST = 1e-3  # taken for the largest entry of an argument of zeros
_DECORATORS = 8  # lines that are searched for ``def``
APPLY = torch._C._FunctionBase.__dict__["apply"]


def applied_in_python() -> Iterator[Patch]:
    """Yield the patch with which ``Function.apply`` calls its base class, as in PyTorch 2.13.

    In 2.15 both are one function of C. An ``apply`` that is kept without this patch, as by
    ``swish = Swish.apply``, calls no function that is patched later.
    """
    if Function.__dict__["apply"] is APPLY:
        yield Function, "apply", vars(_InPython)["apply"]


class _InPython:
    """Has the method for it: always one function ``apply``, else torch.compile traces into it."""

    @classmethod
    def apply(cls, *args: Any) -> Any:
        """Call the method of the base class of ``Function``."""
        return super(Function, cls).apply(*args)  # type: ignore[misc]


def applied(apply: Callable[..., Any]) -> Iterator[Patch]:
    """Yield the patches with which a function stands for ``apply`` of each custom function."""
    yield from applied_in_python()
    yield _SingleLevelFunction, "apply", classmethod(apply)


def any_defined() -> bool:
    """Return whether there is an ``autograd.Function`` that is the user's own."""
    level = Function.__subclasses__()
    while level:
        if any(is_user_code(_backward_of(kind).__code__.co_filename) for kind in level):
            return True
        level = [child for kind in level for child in kind.__subclasses__()]
    return False


class CustomFunctions:
    """Keeps the first call of each ``autograd.Function`` that is the user's own."""

    def __init__(self) -> None:
        self._calls: dict[type[Function], _FirstCall] = {}

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Keep the first calls that are made meanwhile."""

        def apply(cls: type[Function], *args: Any) -> Any:
            new = cls not in self._calls and is_user_code(_backward_of(cls).__code__.co_filename)
            if not new or not torch.is_grad_enabled() or not _asking(args):
                return APPLY.__get__(None, cls)(*args)
            call = self._calls[cls] = _FirstCall(cls, args)
            result = APPLY.__get__(None, cls)(*args)
            call.follow(result)
            return result

        with patched(applied(apply)):
            yield

    def tried(self) -> list[CustomFunction]:
        """Call each class again; return the slopes of its backward, and those by differences."""
        with generators.kept(generators.shared()):
            return [call.tried() for call in self._calls.values()]


class _FirstCall:
    """The first call of a class: its arguments, and the gradients that its scalar results got."""

    def __init__(self, function: type[Function], args: Sequence[Any]) -> None:
        self._function, self._asking = function, _asking(args)
        self._args = tree_map(_copied, tuple(args))
        self._gradients: dict[int, Tensor] = {}

    def follow(self, result: Any) -> None:
        """Keep the gradients that scalar results get: a loss may count on it that they are 1."""
        for number, tensor in enumerate(tensors_in(result)):
            if tensor.requires_grad and tensor.numel() == 1:
                tensor.register_hook(partial(self._keep, number))

    def _keep(self, number: int, gradient: Tensor) -> None:
        self._gradients.setdefault(number, gradient.detach().clone())

    def tried(self) -> CustomFunction:
        """Return the slopes that its backward returns along one direction of each argument."""
        backward = _backward_of(self._function)
        name = self._function.__name__
        place = SourceLine(backward.__code__.co_filename, _line_of(backward))
        try:
            return CustomFunction(name, place, *self._slopes(), "torch.autograd.gradcheck")
        except Exception as error:
            text = f"it raises when it is called again: {in_one_line(error)}"
            return CustomFunction(name, place, why_not=text)

    def _slopes(self) -> tuple[tuple[Slope, ...], str]:
        """Return the slopes; without any, why its backward need not be a derivative."""
        values = [self._args[number] for number in self._asking]
        leaves = [value.clone().requires_grad_() for value in values]
        given = [leaf.clone() for leaf in leaves]  # it may write into them
        forward, args = ReadOperations(given), self._with(given)
        with Recorder(forward):
            results = self._call(args)
        if why_not := _why_not(forward, values, given, results):
            return (), why_not
        weights = self._weights(results)
        backward = ReadOperations([*weights.values()])
        with Recorder(backward):
            gradients = torch.autograd.grad(
                [results[k] for k in weights], leaves, [*weights.values()], allow_unused=True
            )
        if backward.reads_more(forward):
            return (), READS_ELSE
        return tuple(
            self._slope(k, gradient.double(), values, weights)
            for k, gradient in enumerate(gradients)
            if gradient is not None
        ), ""

    def _with(self, given: Sequence[Tensor]) -> list[Any]:
        """Return its arguments with other tensors where a gradient is needed."""
        args = list(tree_map(_copied, self._args))
        for number, tensor in zip(self._asking, given, strict=True):
            args[number] = tensor
        return args

    def _call(self, args: Sequence[Any]) -> list[Tensor]:
        """Call it again, with the same random numbers each time; return its tensors."""
        torch.manual_seed(0)
        return tensors_in(APPLY.__get__(None, self._function)(*args))

    def _weights(self, results: Sequence[Tensor]) -> dict[int, Tensor]:
        """Return a gradient for each result: random numbers, except for a scalar."""
        random = torch.Generator().manual_seed(0)
        weights = {}
        for number, tensor in enumerate(results):
            if tensor.requires_grad and tensor.is_floating_point():
                known = self._gradients.get(number, torch.ones_like(tensor))
                drawn = torch.randn(tensor.shape, generator=random, dtype=tensor.dtype)
                weights[number] = known.to(tensor.dtype) if tensor.numel() == 1 else drawn
        return weights

    def _slope(
        self, k: int, gradient: Tensor, values: Sequence[Tensor], weights: dict[int, Tensor]
    ) -> Slope:
        """Return the slope along a random direction of one of the values."""
        random = torch.Generator().manual_seed(k)
        direction = 2.0 * torch.randint(0, 2, values[k].shape, generator=random) - 1

        def along(distance: float) -> float:
            moved = [value.clone().requires_grad_() for value in values]
            moved[k] = moved[k] + distance * direction
            results = self._call(self._with([tensor.clone() for tensor in moved]))
            return sum(float((results[n].detach() * w).sum()) for n, w in weights.items())

        h = _H * max(float(values[k].abs().max()), _LEAST)
        wide, narrow = ((along(d) - along(-d)) / (2 * d) for d in (h, h / 2))
        terms = gradient * direction
        size = float(terms.abs().sum()) + abs(narrow)
        name = _argument(self._function, self._asking[k])
        return Slope(name, float(terms.sum()), wide, narrow, size)


def _why_not(
    forward: ReadOperations,
    values: Sequence[Tensor],
    given: Sequence[Tensor],
    results: Sequence[Tensor],
) -> str:
    """Say why a backward need not be the derivative of a forward; nothing if it has to be."""
    numbers = [t.detach() for t in results if t.is_floating_point()]
    if not any(t.requires_grad for t in results):
        return "its results require no gradient"
    if forward.why_not:
        return forward.why_not
    if any(a.shape == b.shape and torch.equal(a, b) for a in numbers for b in values):
        return HANDS_INPUT_ON
    if any(t.numel() > 1 and not forward.reads(t) for t in given):
        return READS_ELSE
    return ""


def _asking(args: Sequence[Any]) -> tuple[int, ...]:
    """Return the numbers of the arguments that need a gradient."""
    tensors = ((k, a) for k, a in enumerate(args) if isinstance(a, Tensor) and a.requires_grad)
    return tuple(k for k, tensor in tensors if tensor.is_floating_point() and tensor.numel())


def _copied(value: Any) -> Any:
    """Return a copy of a tensor in the widest dtype of its kind."""
    return widened(value.detach()).clone() if isinstance(value, Tensor) else value


def _backward_of(function: type[Function]) -> Callable[..., Any]:
    """Return the function that computes the gradients, without what PyTorch wraps around it."""
    name = "vjp" if function.backward is Function.backward else "backward"
    backward: Callable[..., Any] = inspect.unwrap(getattr(function, name))
    return backward


def _line_of(function: Callable[..., Any]) -> int:
    """Return the line of ``def``: a code object begins with its decorators."""
    file, first = function.__code__.co_filename, function.__code__.co_firstlineno
    lines = range(first, first + _DECORATORS)
    return next((n for n in lines if linecache.getline(file, n).lstrip().startswith("def ")), first)


def _argument(function: type[Function], number: int) -> str:
    """Return the name of an argument of ``apply`` in the forward."""
    names = [*inspect.signature(inspect.unwrap(function.forward)).parameters]
    own = names if function.setup_context is not Function.setup_context else names[1:]
    return own[number] if number < len(own) else own[-1]  # of *args
