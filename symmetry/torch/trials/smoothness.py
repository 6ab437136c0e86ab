"""Whether a forward is smooth in its arguments: the operations that it performs decide."""

from __future__ import annotations

from collections.abc import Container, Sequence

from torch import Tensor

from symmetry.torch.state import memory_of
from symmetry.torch.watch.operations import Observer, Operation, name_of

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
