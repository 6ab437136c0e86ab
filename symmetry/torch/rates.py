"""The learning rates of an optimiser, by the names of the parameters that it holds."""

from collections.abc import Mapping
from typing import Any


class Rates:
    """An optimiser as a run shows it to others.

    Attributes
    ----------
    optimizer
        The object that the training made.
    kind
        The name of its class.
    """

    def __init__(self, optimizer: Any, names: Mapping[int, str]) -> None:
        self.optimizer, self.kind = optimizer, type(optimizer).__name__
        self._names = names  # of parameters, by id
        self._kept: list[tuple[dict[str, Any], Any]] = []  # groups, with the rates that they had

    def rates(self) -> dict[str, float | None]:
        """Return the learning rate of each parameter that it holds; None where it has none."""
        return {
            self._names[id(parameter)]: None if group.get("lr") is None else float(group["lr"])
            for group in self.optimizer.param_groups
            for parameter in group["params"]
            if id(parameter) in self._names
        }

    def zero_rates(self) -> None:
        """Set all learning rates to zero, up to ``restore_rates``."""
        self._kept = [(group, group["lr"]) for group in self.optimizer.param_groups]
        for group, rate in self._kept:
            group["lr"] = rate * 0

    def restore_rates(self) -> None:
        """Set the learning rates to what they were before ``zero_rates``."""
        for group, rate in self._kept:
            group["lr"] = rate
