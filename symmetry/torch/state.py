"""The state of a run: every floating-point tensor that its objects hold, by name.

    model.fc1.weight             parameters and buffers, as ``named_parameters`` calls them
    optimizer.exp_avg.fc1.weight what an optimiser keeps for a parameter
    optimizer.held.0             a parameter that only an optimiser holds
    ema.fc1.weight               what an averaged model or another extra holds

If several optimisers have no name, the second is ``optimizer2``. A vector that an optimiser keeps
over all of its parameters, as LBFGS does, is one array for each parameter.
"""

import ctypes
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from symmetry.torch.objects import Objects, held_by
from symmetry.units.state import Array

_LAYERS = (nn.Linear, _ConvNd, nn.Embedding, nn.EmbeddingBag, nn.RNNBase, nn.RNNCellBase)
_WRAPPERS = ("_orig_mod.", "_fsdp_wrapped_module.")


def tensors_of(objects: Objects) -> dict[str, Tensor]:
    """Return the tensors themselves, each once: writing into one changes the object.

    Complex numbers are pairs of real ones along one axis more, the last.
    """
    found: dict[str, Tensor] = {}
    seen: dict[int, Tensor] = {}  # which keeps them, so that each has a number of its own
    for name, tensor in held(objects):
        if has_numbers(tensor) and id(tensor) not in seen:
            seen[id(tensor)] = tensor
            found.setdefault(name, _real(tensor.detach()))
    return found


def parameters_of(objects: Objects) -> dict[str, nn.Parameter]:
    """Return the parameters under the names of ``tensors_of``: the objects, with their gradients.

    Those of the model come first, then those that only an optimiser holds.
    """
    named: dict[int, tuple[str, Any]] = {}
    for name, parameter in objects.model.named_parameters():
        named.setdefault(id(parameter), (f"model.{unwrapped(name)}", parameter))
    for owner, optimizer in objects.optimizers.items():
        held = 0
        for parameter in held_by(optimizer):
            if id(parameter) not in named:
                named[id(parameter)] = (f"{owner}.held.{held}", parameter)
                held += 1
    return dict(named.values())


def as_array(tensor: Tensor, *, copy: bool = True) -> Array:
    """Return all of it, also of what several ranks hold in parts; it may share memory on request.

    Numbers of 16 bits are exact in the float32 that they become.
    """
    if is_distributed(tensor):
        tensor = tensor.full_tensor()
    double = tensor.dtype in (torch.float64, torch.complex128)
    dtype = torch.float64 if double else torch.float32
    array: Array = _real(tensor.detach()).cpu().to(dtype, copy=copy).contiguous().numpy()
    return array


def memory_of(tensor: Tensor) -> int:
    """Return where a tensor's numbers lie; 0 if they lie in no one piece, or on several ranks."""
    if tensor.layout is not torch.strided:
        return 0
    try:
        return int(tensor.untyped_storage().data_ptr())
    except (RuntimeError, NotImplementedError):  # one that only wraps others
        return 0


def is_readable(tensor: Tensor) -> bool:
    """Return whether a tensor has numbers of its own, and is not sparse.

    Tensors of vmap, grad or a compiler have none.
    """
    wrapped = torch._C._functorch.is_functorch_wrapped_tensor(tensor)
    return tensor.layout is torch.strided and not (tensor.is_meta or wrapped)


def bytes_of(tensor: Tensor) -> bytes:
    """Return the bytes of all numbers of a tensor; of one that ranks hold in parts, of its own."""
    if is_distributed(tensor):
        tensor = tensor.to_local()
    if is_freed(tensor):
        return b""
    plain = tensor.detach().cpu().resolve_conj().resolve_neg().contiguous().flatten()
    # An array would share the memory, which could not be taken away from then on.
    return ctypes.string_at(plain.data_ptr(), plain.nbytes) if plain.numel() else b""


def is_freed(tensor: Tensor) -> bool:
    """Return whether its memory was taken away, as FSDP does with parameters between two uses."""
    if not is_readable(tensor) or not tensor.numel():
        return False
    return not tensor.untyped_storage().nbytes()


def has_numbers(tensor: Tensor) -> bool:
    """Return whether a tensor has floating-point or complex numbers, all of them in memory."""
    numbers = tensor.is_floating_point() or tensor.is_complex()
    return numbers and tensor.layout is torch.strided


def _real(tensor: Tensor) -> Tensor:
    return torch.view_as_real(tensor) if tensor.is_complex() else tensor


def write(tensor: Tensor, array: Array) -> None:
    """Write an array's values into a tensor of the same shape."""
    values = torch.as_tensor(array)
    if is_distributed(tensor):
        from torch.distributed.tensor import distribute_tensor

        values = distribute_tensor(values.to(tensor.device), tensor.device_mesh, tensor.placements)
    with torch.no_grad():
        _real(tensor.detach()).copy_(values)


def is_distributed(tensor: Any) -> bool:
    """Return whether it is a ``DTensor``; they are not imported to find out."""
    return hasattr(tensor, "placements") and hasattr(tensor, "device_mesh")


def unwrapped(name: str) -> str:
    """Return a parameter's name without what compiling or sharding puts into it."""
    for wrapper in _WRAPPERS:
        name = name.replace(wrapper, "")
    return name


def layers_of(
    model: nn.Module, parameters: Mapping[str, Tensor], turned: Collection[str]
) -> dict[str, tuple[int, int]]:
    """Return the axis along which the matrix of each layer makes units, and how many.

    The ``turned`` ones make them along their second axis. Gates of recurrent layers are no units of
    their own. A matrix that parametrises another one counts as well.
    """
    found = {}
    for path, module in model.named_modules():
        if not isinstance(module, _LAYERS):
            continue
        for name, parameter in module.named_parameters():
            full = f"model.{unwrapped(f'{path}.{name}'.lstrip('.'))}"
            if parameter.ndim > 1 and full in parameters:
                axis = int(full in turned)
                units = getattr(module, "hidden_size", parameter.shape[axis])
                found[full] = axis, int(units)
    return found


def held(objects: Objects) -> Iterator[tuple[str, Tensor]]:
    """Yield all tensors that the objects hold, whatever is in them; some more than once."""
    yield from _of_module("model", objects.model)
    parameters = parameters_of(objects)
    yield from parameters.items()
    names = {id(p): name.removeprefix("model.") for name, p in parameters.items()}
    for owner, optimizer in objects.optimizers.items():
        yield from _of_optimizer(owner, optimizer, names)
    for owner, extra in objects.extras.items():
        if isinstance(extra, nn.Module):
            yield from _of_module(owner, extra)
        else:
            yield from _nested(owner, extra.state_dict())


def _of_module(owner: str, module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    prefix = "module." if hasattr(module, "n_averaged") else ""
    for name, tensor in (*module.named_parameters(), *module.named_buffers()):
        yield f"{owner}.{unwrapped(name).removeprefix(prefix)}", tensor


def _of_optimizer(owner: str, optimizer: Any, names: Mapping[int, str]) -> Iterator[Any]:
    params = [p for p in held_by(optimizer) if id(p) in names]
    total = sum(p.numel() for p in params)
    for parameter, kept in optimizer.state.items():
        if not isinstance(parameter, Tensor):
            yield from _nested(f"{owner}.{parameter}", kept)
            continue
        for key, tensor in _nested("", kept):
            if tensor.ndim == 1 and tensor.numel() == total != parameter.numel():
                pieces = tensor.split([p.numel() for p in params])
                for p, piece in zip(params, pieces, strict=True):
                    yield f"{owner}{key}.{names[id(p)]}", piece.view(p.shape)
            else:
                yield f"{owner}{key}.{names.get(id(parameter), 'held')}", tensor


def _nested(owner: str, value: Any) -> Iterator[tuple[str, Tensor]]:
    if isinstance(value, Tensor):
        yield owner, value
    items: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, Mapping):
        items = value.items()
    elif isinstance(value, list | tuple):
        items = enumerate(value)
    for key, inner in items:
        yield from _nested(f"{owner}.{key}", inner)
