"""Digests of what several ranks hold copies of, and gathering them from all ranks."""

from collections.abc import Mapping
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from torch import distributed

from symmetry.base import ranks
from symmetry.torch.state import bytes_of, is_distributed
from symmetry.training.capabilities.replicated import Replicated


def digests_of(parameters: Mapping[str, Any]) -> dict[str, str]:
    """Return a digest of each parameter that is a copy: plain ones, and replicated ``DTensor``."""
    found = {}
    for name, tensor in parameters.items():
        local = tensor.detach()
        if is_distributed(local):
            if not all(placement.is_replicate() for placement in local.placements):
                continue
            local = local.to_local()
        found[name] = blake2b(bytes_of(local), digest_size=16).hexdigest()
    return found


class TorchReplicas(Replicated):
    """The parameters of a run that several ranks hold copies of."""

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        self._parameters = parameters

    def digests(self) -> dict[str, str]:
        """Return a digest of each parameter that is a copy."""
        return digests_of(self._parameters)

    @staticmethod
    def gathered(mine: Any) -> list[Any]:
        """Return the digests of all ranks, or whatever else each of them has."""
        if not distributed.is_initialized():  # the training does not talk to its other ranks
            distributed.init_process_group("gloo")
        everyone: list[Any] = [None] * ranks.world()
        distributed.all_gather_object(everyone, mine, group=_group_beside(distributed.group.WORLD))
        return everyone


@lru_cache(maxsize=1)
def _group_beside(_: Any) -> Any:
    """Return a group of all ranks that does not disturb what the training sends in its own."""
    return distributed.new_group(backend="gloo")
