"""Prove or refute, bit by bit, that training code treats equal hidden units equally."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from symmetry.testing import parametrize_invariants

__all__ = ["parametrize_invariants"]


def __getattr__(name: str) -> Any:
    """Import the pytest face only when it is asked for: ``symmetry --help`` must stay quick."""
    if name == "parametrize_invariants":
        from symmetry.testing import parametrize_invariants

        return parametrize_invariants
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
