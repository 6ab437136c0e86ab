"""Where scripts run that need a GPU, or ranks."""

from __future__ import annotations

from symmetry.base.devices import Substitution, united


def test_all_that_several_processes_map_is_mapped_once() -> None:
    first = Substitution("CUDA", ("streams", "amp"), alone=False)
    second = Substitution("CUDA", ("amp", "memory"), alone=True)
    both = Substitution("CUDA", ("streams", "amp", "memory"), alone=True)
    assert united([None, first, second]) == both
    assert united([None]) is None
