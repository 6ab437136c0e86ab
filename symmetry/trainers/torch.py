"""``from symmetry.trainers.torch import from_module`` goes on working."""

from symmetry.targets.torch_module import from_module

__all__ = ["from_module"]
