"""Whether the forward of a module is being run: what is drawn there is its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from torch import nn
from torch.utils._pytree import tree_map

from symmetry.base.user_code import callers
from symmetry.torch.modes.dtypes import is_low, widened, widened_once, widened_value


class ModuleScope:
    """Knows whether a module's forward, or a backward, is being run.

    A checkpointed forward runs again inside backward; what it draws is the model's own, too. So is
    what methods of its modules draw, as noise that is drawn anew before a step; but not what the
    model's own methods do: they may make a batch.
    """

    def __init__(self, model: nn.Module) -> None:
        self.depth = 0
        # The modules of the model but itself, by id. A module that only wraps one counts as it.
        self._modules = {id(module): module for module in model.modules() if module is not model}
        while len(children := [*model.children()]) == 1:
            (model,) = children
            self._modules.pop(id(model), None)

    def draws(self) -> bool:
        """Return whether what is drawn now is the model's own, as all that functionals draw."""
        return self.depth > 0 or any(
            f.f_code.co_filename == nn.functional.__file__
            or id(f.f_locals.get("self")) in self._modules
            for f in callers()
        )

    @contextmanager
    def watching(self, *, promote: bool) -> Iterator[None]:
        """Count the modules that are entered and left; hand them float64 where that is promoted.

        Recurrent ones compare the dtypes of inputs and weights before any operation.
        """
        call = nn.Module._call_impl

        def counted(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
            if promote:
                args, kwargs = tree_map(_promoted, (args, kwargs))
            with self.entered():
                return call(module, *args, **kwargs)

        with patch.object(nn.Module, "_call_impl", counted):
            yield

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Count as inside whatever is done here."""
        self.depth += 1
        try:
            yield
        finally:
            self.depth -= 1


def _promoted(value: Any) -> Any:
    """Return a value in float64; a leaf that collects a gradient stays the same tensor.

    A backward has no way back to fewer bits: that conversion is promoted, too.
    """
    if is_low(value) and value.is_leaf and value.requires_grad:
        value.data, value.grad = widened(value.data), None
        return value
    return widened_value(widened_once(value))
