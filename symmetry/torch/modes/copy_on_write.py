"""Steps that leave some tensors as they are."""

from collections.abc import Iterable
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from symmetry.torch.modes.dtypes import mapped


class CopyOnWrite(TorchDispatchMode):
    """Protects some tensors: operations that would write into one write into a copy."""

    def __init__(self, tensors: Iterable[Tensor] = ()) -> None:
        super().__init__()
        self._memories: set[int] = set()
        self.add(tensors)

    def add(self, tensors: Iterable[Tensor]) -> None:
        """Protect these, too."""
        self._memories |= {tensor.untyped_storage().data_ptr() for tensor in tensors}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func._schema.is_mutable:
            args = mapped(self._copied, args)
            kwargs = {name: mapped(self._copied, value) for name, value in kwargs.items()}
        return func(*args, **kwargs)

    def _copied(self, value: Any) -> Any:
        if isinstance(value, Tensor) and value.untyped_storage().data_ptr() in self._memories:
            return value.clone()
        return value
