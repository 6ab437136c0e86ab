"""Monte Carlo arithmetic: each operation that rounds does so in another way, at random.

    operation      as written           with rounding
    a * b          0.3                  0.3 (1 + e), where e is at most one eps
    sum(x)         0                    (0.1 (1 + e1) - 0.1 (1 + e2)) (1 + e3), which is not 0
    relu(x)        one of its operands  as it is: nothing is rounded
    count + 1      3                    as it is: whole numbers are exact
    x + 0          x                    as it is: an entry of an operand is exact

Another kernel, another order of a sum, or fused operations would do the same. Reference: D. S.
Parker, *Monte Carlo arithmetic: exploiting randomness in floating-point arithmetic*, 1997.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache, partial
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from symmetry.base.ranks import world
from symmetry.torch.modes.dtypes import WIDEST, mapped
from symmetry.torch.watch.operations import (
    DECLARING,
    IDLE,
    computes_shapes,
    is_plain,
    name_of,
    tensors_in,
    written_by,
)

# These return numbers that they were given, or make some. Views are known by themselves, and random
# operations by their tag.
_EXACT = re.compile(
    r"(_foreach_)?_*(to_copy|copy|clone|lift_fresh|unsafe_view|local_scalar_dense|amp_.*"
    r"|empty.*|new_.*|zeros.*|ones.*|full.*|fill|zero|scalar_tensor|arange|linspace|eye"
    r"|cat|stack|roll|flip|repeat.*|.*_pad.*|tril|triu|diag_embed|im2col|pixel_(un)?shuffle"
    r"|index|index_(select|copy|put)|(index_|masked_)fill|masked_(select|scatter)|gather|take"
    r"|embedding|scatter|where|(select|slice)_(scatter|backward)"
    r"|sort|topk|kthvalue|(nan)?median|mode|a?max|a?min|aminmax|maximum|minimum|fmax|fmin"
    r"|cummax|cummin|.*max_pool.*|clamp.*|relu|threshold.*|hardtanh.*|abs|neg|sign|sgn"
    r"|heaviside|round|floor|ceil|trunc|nan_to_num)"
)
# These add numbers up, and a sum may cancel: its terms are moved, too. Data have no operation that
# would have moved them.
_SUMS = re.compile(
    r".*(sum|mean|mm|mv|dot|matmul|convolution|norm|attention|var|std|logsumexp|softmax|cumprod"
    r"|prod|scatter_add|scatter_reduce|index_add|index_put|dense_backward|lstm|gru|rnn|pool"
    r"|upsample|linear|cdist|loss).*"
)
# Their results may be an operand, entry by entry: x + 0, 0 - x, x * 1.
_KEEPING = frozenset({"add", "sub", "rsub", "mul", "div", "lerp"})
_DROPPING = ("dropout", "attention", "rrelu")  # random operations that compute with their operands
# Namespaces of operations between ranks: another thread writes their results, until a wait for it.
_LATER = frozenset({"c10d", "_c10d_functional", "_c10d_functional_autograd"})

# Terms of a sum by one accumulator, which errs by up to 0.2 eps times their root. Up to this number
# it errs by less than 20 times what its terms and its result move by an eps each; longer sums move
# by more.
_MANY = 2500
_ROUNDED = WIDEST | {torch.float16, torch.bfloat16, torch.float32}
# Random numbers are read from one array, at a place that is drawn for each tensor. There are at
# least these many places: numbers from the same one would cancel in a quotient.
_PLACES = 1 << 14
_PRIMES = 0x9E3779B1, 0x2C1B3C6D, 0x297A2D39  # multipliers of integer hashes
_BITS = 31


def rounding_by(seed: int | None, *, promoted: bool) -> Rounding:
    """Return the mode for a run: with several ranks replicas stay equal."""
    return Rounding(seed, promoted=promoted, hashed=world() > 1)


class _Kind(NamedTuple):
    """How an operation rounds."""

    exact: bool  # not at all
    terms: Callable[[Any], int] | None  # of a sum, about how many numbers it adds up for an entry
    keeps: bool  # its result may have entries of its operands
    writes: bool  # into operands, as it declares


class Rounding(TorchDispatchMode):
    """Moves what operations return, and what sums are given, by up to one eps, at random.

    Parameters
    ----------
    seed
        Selects the random numbers; also an attribute. With None nothing is moved.
    promoted
        Whether everything is in float64: then what has fewer bits stays, as counters do.
    hashed
        Whether a number moves by a function of its bits and of its place in its array, so that
        equal arrays on several ranks stay equal.
    """

    def __init__(self, seed: int | None, *, promoted: bool, hashed: bool = False) -> None:
        super().__init__()
        self.seed, self._by_hash = seed, hashed
        self._dtypes = WIDEST if promoted else _ROUNDED
        self._bits: np.random.PCG64 | None = None
        self._numbers: dict[tuple[torch.dtype, torch.device], Tensor] = {}

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Move nothing meanwhile."""
        seed, self.seed = self.seed, None
        try:
            yield
        finally:
            self.seed = seed

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        exact, terms, keeps, writes = _kind(func)
        if self.seed is None or func.namespace in IDLE | _LATER or computes_shapes():
            return func(*args, **kwargs)
        if types and not all(map(is_plain, types)):  # the operations inside of it come, too
            return NotImplemented
        if exact and (terms is None or not _accumulates(func, args, kwargs)):
            return func(*args, **kwargs)
        written = written_by(func, args, kwargs) if writes else []
        operands = tensors_in((args, kwargs)) if keeps else []
        # In-place operations write into these: here is how they were.
        before = [t.clone() if any(t is w for w in written) else t for t in operands]
        times = 1.0
        stay = {*map(id, written)}

        def moved(value: Any) -> Any:
            rounds = self._rounds(value) and id(value) not in stay
            return self._moved(value, before, times) if rounds else value

        if terms is not None:
            times = max(1.0, math.sqrt(terms(args) / _MANY))
            stay.update(map(id, tensors_in(_silently(func, args))))
            args, kwargs = mapped(moved, args), {n: mapped(moved, v) for n, v in kwargs.items()}
        result = func(*args, **kwargs)
        for tensor in filter(self._rounds, written):
            plain = tensor.detach()
            plain.copy_(self._moved(plain, before, times))
        return mapped(moved, result)

    def _rounds(self, value: Any) -> bool:
        return (
            isinstance(value, Tensor)
            and value.dtype in self._dtypes
            and value.layout is torch.strided
            and not value.is_meta
            and not (value.is_conj() or value.is_neg())  # lazily: a sum would lose the mark
        )

    def _moved(self, value: Tensor, operands: Sequence[Tensor], times: float) -> Tensor:
        """Return a tensor whose entries have moved, but for those that are exact."""
        if value.is_complex():
            return torch.view_as_complex(self._moved(torch.view_as_real(value), (), times))
        if not value.numel():
            return value
        eps, most = _precision(value.dtype)
        # 0 for an entry that stays, else 1 or -1. (``trunc`` and comparisons take far longer.)
        moves = value.frac().sign_()
        low, high = (each.item() for each in torch.aminmax(value))
        large = not max(-low, high) <= 1 / eps
        if large:  # all such numbers are whole
            moves = torch.where(value.abs() > 1 / eps, 1, moves)
        for each in operands:
            if each.shape == value.shape and each.dtype == value.dtype:
                moves *= value.abs().sub_(each.abs()).sign_()
        noise = self._hashed(value) if self._by_hash else self._drawn(value)
        moved = torch.addcmul(value, moves.mul_(value), noise, value=eps * times)
        if large:  # the largest ones stand for no number, and would become infinite
            moved = torch.where(value.abs() <= most / 2, moved, value)
        return moved

    def _drawn(self, value: Tensor) -> Tensor:
        """Return independent numbers between -1 and 1."""
        if self._bits is None:
            self._bits = np.random.PCG64(np.random.SeedSequence(self.seed))
        size, key = value.numel(), (value.dtype, value.device)
        numbers = self._numbers.get(key)
        if numbers is None or numbers.numel() < size + _PLACES:
            generator = torch.Generator(value.device).manual_seed(self._bits.random_raw() >> 4)
            numbers = torch.empty(size + _PLACES, dtype=value.dtype, device=value.device)
            self._numbers[key] = numbers.uniform_(-1, 1, generator=generator)
        begin = self._bits.random_raw() % (numbers.numel() - size)
        return numbers.narrow(0, begin, size).view(value.shape)

    def _hashed(self, value: Tensor) -> Tensor:
        """Return numbers between -1 and 1: functions of the seed, the entries and their places."""
        bits = value.detach().double().view(torch.int64)
        bits = bits ^ torch.arange(bits.numel(), device=bits.device).view(bits.shape)
        bits = (bits ^ (bits >> 32)) + (self.seed or 0) * _PRIMES[1]
        for prime in _PRIMES:
            bits = (bits & (1 << 32) - 1) * prime
            bits ^= bits >> 15
        signed = (bits & (1 << _BITS + 1) - 1) - (1 << _BITS)
        return (signed.double() / (1 << _BITS)).to(value.dtype)


@cache
def _precision(dtype: torch.dtype) -> tuple[float, float]:
    """Return the eps of a dtype and its largest number."""
    info = torch.finfo(dtype)
    return info.eps, info.max


@cache
def _kind(func: Any) -> _Kind:
    name = name_of(func).rstrip("_")
    random = torch.Tag.nondeterministic_seeded in func.tags
    draws = random and not any(word in name for word in _DROPPING)
    exact = func.is_view or draws or _EXACT.fullmatch(name) is not None
    adds = _SUMS.fullmatch(name) is not None
    terms = partial(_terms, name) if adds else None
    return _Kind(exact, terms, name in _KEEPING, func._schema.is_mutable)


def _silently(func: Any, args: Any) -> Any:
    """Return the operands that it may write into without declaring so: a copy would not do."""
    if func.namespace not in DECLARING:
        return args
    name = name_of(func)
    return args[1:] if "batch_norm" in name and "backward" not in name else ()


def _accumulates(func: Any, args: Any, kwargs: Any) -> bool:
    """Return whether an assignment to entries adds to those that it names twice."""
    named = kwargs.get("accumulate") or args[3:4] == (True,)
    return name_of(func).startswith(("index_put", "_index_put")) and bool(named)


def _terms(name: str, args: Any) -> int:
    """Return about how many numbers a sum adds up for an entry, by the shapes of its operands."""
    tensors = tensors_in(args)
    sizes: list[int] = [tensor.numel() for tensor in tensors]
    if not tensors or not tensors[0].ndim or re.search("attention|lstm|gru|rnn|pool|upsam", name):
        return 1
    shape: Sequence[int] = tensors[0].shape
    if re.search("index|scatter|dense_backward|nll_loss", name):
        return max(n for n, t in zip(sizes, tensors, strict=True) if not t.is_floating_point())
    if len(tensors) > 1 and re.search("mm|mv|dot|matmul|linear|cdist", name):
        return int(tensors[-2].shape[-1])
    if len(tensors) > 1 and name.endswith("convolution"):
        return sizes[1] // max(1, len(tensors[1]))  # the weights of an output
    if len(shape) > 1 and re.search("convolution|batch_norm|group_norm", name):
        return sizes[0] // max(1, shape[1])  # the places of a channel
    lists = [each for each in args[1:] if isinstance(each, list | tuple) and each]
    if "layer_norm" in name:
        width = math.prod(lists[0])
        return max(width, sizes[0] // max(1, width))
    if "softmax" in name or "cum" in name:
        return shape[next(each for each in args if isinstance(each, int))]
    if len(tensors) == 1 and lists and all(isinstance(axis, int) for axis in lists[0]):
        return math.prod(shape[axis] for axis in lists[0])
    return max(sizes)
