"""Whether a forward is smooth in its arguments: the operations that it performs decide."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from symmetry.torch.modes.recorder import tensors_in

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
# Of these it may be something else on purpose: a straight-through or a surrogate gradient.
_ROUNDS = """round round_ sign sgn floor floor_ ceil ceil_ trunc frac fmod remainder heaviside
argmax argmin sort topk one_hot"""
_CLAMPS = "clamp clamp_ clamp_min clamp_min_ clamp_max clamp_max_ hardtanh"
_DRAWS = """bernoulli bernoulli_ multinomial rand rand_like randn randn_like randint normal_
uniform_"""
_DISCRETE = frozenset(" ".join((_ROUNDS, _CLAMPS, _DRAWS)).split())


class ReadOperations(TorchDispatchMode):
    """Sees what operations are performed, and the tensors that they read.

    Parameters
    ----------
    arguments
        The tensors that results may depend on.

    Attributes
    ----------
    why_not
        Why a backward need not be the derivative of these operations; empty if it has to be.
    """

    def __init__(self, arguments: Sequence[Tensor]) -> None:
        super().__init__()
        self.why_not = ""
        self._kept: list[Tensor] = []  # so that no memory is used twice
        self._read: set[int] = set()
        self._made: set[int] = set()
        self._given = {_memory(t) for t in arguments}
        self._depends = {*self._given}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func._schema.name.split("::")[1]
        read = tensors_in((args, kwargs or {}))
        result = func(*args, **(kwargs or {}))
        made = tensors_in(result)
        self._kept += [*read, *made]
        self._read.update(_memory(t) for t in read)
        depends = any(_memory(t) in self._depends for t in read)
        self.why_not = self.why_not or (self._judged(name, read, made) if depends else "")
        self._made.update(_memory(t) for t in made)
        if depends:
            self._depends.update(_memory(t) for t in made)
        return result

    def reads(self, tensor: Tensor) -> bool:
        """Return whether an operation reads a tensor."""
        return _memory(tensor) in self._read

    def reads_more(self, other: ReadOperations) -> bool:
        """Return whether it reads a tensor of several entries that nothing made, and other not."""
        known = other._read | other._made | self._made | self._given
        return any(_memory(t) not in known for t in self._kept if t.numel() > 1)

    def _judged(self, name: str, read: Sequence[Tensor], made: Sequence[Tensor]) -> str:
        if name in _DISCRETE:
            return f"its forward rounds, clamps or draws ({name.rstrip('_')})"
        if name not in SMOOTH:
            return f"its forward uses {name}, which is not known to be smooth"
        numbers = [t for t in read if t.is_floating_point()]
        becomes = any(t.is_floating_point() for t in made)
        if becomes and not any(_memory(t) in self._depends for t in numbers):
            return f"its forward makes numbers of comparisons ({name})"
        return ""


def _memory(tensor: Tensor) -> int:
    return int(tensor.untyped_storage().data_ptr())
