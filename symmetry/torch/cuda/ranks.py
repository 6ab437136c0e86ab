"""Several GPUs: modules and collectives that a script has for them, on ranks that have CPUs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import wraps
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn import parallel
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parallel import DistributedDataParallel
from torch.utils._pytree import tree_map

from symmetry.base.patches import Patch
from symmetry.torch.cuda.devices import is_cuda
from symmetry.torch.cuda.uses import Uses

# Modules with functions that send tensors from device to device.
_SCATTERING = (
    "torch.nn.parallel.data_parallel",
    "torch.nn.parallel.parallel_apply",
    "torch.nn.parallel.replicate",
    "torch.nn.parallel.scatter_gather",
    "torch.nn.parallel.comm",
    "torch.cuda.comm",
)
# Collectives that may average, and where their arguments have the tensors.
_REDUCING = {
    "all_reduce": 0,
    "reduce": 0,
    "reduce_scatter": 1,
    "reduce_scatter_tensor": 1,
    "reduce_scatter_single": 1,
}


def patches(uses: Uses) -> Iterator[Patch]:
    """Yield what is replaced: owner, name, and the replacement."""
    yield from _data_parallel(uses)
    yield nn.SyncBatchNorm, "forward", _normalised_over_ranks
    if not distributed.is_available():
        return
    plain = DistributedDataParallel.__init__

    @wraps(plain)
    def replicated(self: Any, module: nn.Module, *args: Any, **kwargs: Any) -> None:
        uses.add("DistributedDataParallel")
        kwargs.pop("device_ids", None)
        kwargs.pop("output_device", None)
        plain(self, module, None, None, *args[2:], **kwargs)

    yield DistributedDataParallel, "__init__", replicated
    yield DistributedDataParallel, "_passing_sync_batchnorm_handle", lambda *_, **__: None
    yield distributed, "is_nccl_available", lambda: True
    yield distributed, "get_default_backend_for_device", lambda _: "gloo"
    yield from _groups(uses)
    yield from _meshes()
    barrier = distributed.barrier
    yield distributed, "barrier", lambda group=None, *_, **__: barrier(group)
    for name, at in _REDUCING.items():
        if hasattr(distributed, name):
            averaging = _averaging(getattr(distributed, name), at)
            yield distributed, name, averaging
            yield distributed.distributed_c10d, name, averaging


def _data_parallel(uses: Uses) -> Iterator[Patch]:
    def begin(self: Any, module: nn.Module, *_: Any, dim: int = 0, **__: Any) -> None:
        uses.add("DataParallel")
        nn.Module.__init__(self)
        self.module, self.dim, self.device_ids, self.output_device = module, dim, [0], 0

    for owner in (parallel, *map(import_module, _SCATTERING)):
        for name, function in _on_one_device(uses).items():
            if callable(getattr(owner, name, None)):
                yield owner, name, function
    yield nn.DataParallel, "__init__", begin
    yield nn.DataParallel, "forward", lambda self, *args, **kwargs: self.module(*args, **kwargs)


def _on_one_device(uses: Uses) -> dict[str, Callable[..., Any]]:
    """Return functions for several devices, in place of which there is one."""

    def data_parallel(
        module: Any, inputs: Any, *rest: Any, module_kwargs: Any = None, **_: Any
    ) -> Any:
        uses.add("DataParallel")
        named = rest[3] if len(rest) > 3 else module_kwargs
        return module(*(inputs if isinstance(inputs, tuple) else (inputs,)), **(named or {}))

    def apply(modules: Any, inputs: Any, kwargs_tup: Any = None, *_: Any, **__: Any) -> list[Any]:
        named = kwargs_tup or [{}] * len(modules)
        given = (i if isinstance(i, list | tuple) else (i,) for i in inputs)
        return [m(*args, **kw) for m, args, kw in zip(modules, given, named, strict=True)]

    return {
        "data_parallel": data_parallel,
        "parallel_apply": apply,
        "replicate": lambda network, devices, *_, **__: [network] * _number(devices),
        "scatter": lambda inputs, *_, **__: [inputs] if isinstance(inputs, tuple) else (inputs,),
        "scatter_kwargs": lambda inputs, kwargs, *_, **__: ((tuple(inputs),), (kwargs or {},)),
        "gather": lambda outputs, *_, dim=0, **__: _gathered(outputs, dim),
        "broadcast": lambda tensor, devices=None, *, out=None: _sent(tensor, devices, out),
        "broadcast_coalesced": lambda tensors, devices, *_: [[*tensors]] * _number(devices),
        "reduce_add": lambda inputs, *_, **__: sum(inputs[1:], inputs[0]),
        "reduce_add_coalesced": lambda inputs, *_, **__: tuple(
            sum(each[1:], each[0]) for each in zip(*inputs, strict=True)
        ),
    }


def _number(devices: Any) -> int:
    return 1 if devices is None or isinstance(devices, int) else len(devices)


def _sent(tensor: Tensor, devices: Any, out: Any) -> tuple[Tensor, ...]:
    for each in out or ():
        each.copy_(tensor)
    return tuple(out) if out is not None else (tensor,) * _number(devices)


def _gathered(outputs: Any, dim: int) -> Any:
    """Return the outputs of several replicas as one: tensors as one, beside each other."""
    if len(outputs) == 1:
        return outputs[0]
    return tree_map(lambda *each: torch.cat(each, dim), outputs[0], *outputs[1:])


def _groups(uses: Uses) -> Iterator[Patch]:
    """Let groups talk by gloo."""
    for name in ("init_process_group", "new_group"):
        for owner in (distributed, distributed.distributed_c10d):
            yield owner, name, _by_gloo(getattr(owner, name), uses)


def _by_gloo(plain: Callable[..., Any], uses: Uses) -> Callable[..., Any]:
    @wraps(plain)
    def made(*args: Any, **kwargs: Any) -> Any:
        if any("nccl" in str(value) for value in (*args, kwargs.get("backend"))):
            uses.add("nccl")
        args = tuple("gloo" if isinstance(a, str) and "nccl" in a else a for a in args)
        if "nccl" in str(kwargs.get("backend")):
            kwargs["backend"] = "gloo"
        kwargs.pop("device_id", None)
        kwargs.pop("pg_options", None)
        return plain(*args, **kwargs)

    return made


def _meshes() -> Iterator[Patch]:
    from torch.distributed import device_mesh

    init, begin = device_mesh.init_device_mesh, device_mesh.DeviceMesh.__init__

    def mesh(device_type: str, *args: Any, **kwargs: Any) -> Any:
        return init("cpu" if is_cuda(device_type) else device_type, *args, **kwargs)

    @wraps(begin)
    def beginning(self: Any, device_type: str, *args: Any, **kwargs: Any) -> None:
        begin(self, "cpu" if is_cuda(device_type) else device_type, *args, **kwargs)

    yield device_mesh, "init_device_mesh", mesh
    yield distributed, "init_device_mesh", mesh
    yield device_mesh.DeviceMesh, "__init__", beginning


def _averaging(plain: Callable[..., Any], at: int) -> Callable[..., Any]:
    """Return a collective that divides by the number of ranks, which gloo's do not."""

    @wraps(plain)
    def averaging(*args: Any, **kwargs: Any) -> Any:
        mean, total = distributed.ReduceOp.AVG, distributed.ReduceOp.SUM
        if not any(_is_op(value) and value == mean for value in (*args, *kwargs.values())):
            return plain(*args, **kwargs)
        tensors: Any = args[at] if len(args) > at else kwargs.get("tensor", kwargs.get("input"))
        for tensor in tensors if isinstance(tensors, list) else [tensors]:
            tensor.div_(distributed.get_world_size(kwargs.get("group")))
        args = tuple(total if _is_op(value) else value for value in args)
        if "op" in kwargs:
            kwargs["op"] = total
        return plain(*args, **kwargs)

    return averaging


def _is_op(value: Any) -> bool:
    return isinstance(value, distributed.ReduceOp | distributed.ReduceOp.RedOpType)


def _normalised_over_ranks(self: Any, x: Tensor) -> Tensor:
    """Normalise a batch by the mean and the variance that it has on all ranks."""
    several = distributed.is_available() and distributed.is_initialized() and self.training
    count = distributed.get_world_size(self.process_group) if several else 1
    if count == 1:
        normalised: Tensor = _BatchNorm.forward(self, x)
        return normalised
    from torch.distributed.nn.functional import all_reduce

    axes, shape = [0, *range(2, x.dim())], [1, -1, *[1] * (x.dim() - 2)]
    total = x.numel() // x.shape[1] * count
    group = {"group": self.process_group} if self.process_group is not None else {}
    mean = all_reduce(x.sum(axes), **group) / total
    centred = x - mean.view(shape)
    variance = all_reduce(centred.square().sum(axes), **group) / total
    if self.track_running_stats:
        _track(self, mean.detach(), variance.detach() * total / (total - 1))
    result: Tensor = centred * (variance.view(shape) + self.eps).rsqrt()
    return result * self.weight.view(shape) + self.bias.view(shape) if self.affine else result


@torch.no_grad()
def _track(norm: Any, mean: Tensor, variance: Tensor) -> None:
    norm.num_batches_tracked += 1
    each = 1 / float(norm.num_batches_tracked) if norm.momentum is None else norm.momentum
    norm.running_mean.lerp_(mean, each)
    norm.running_var.lerp_(variance, each)
