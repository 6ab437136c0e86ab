"""What is demanded of the arguments of a check, of whatever target: each error is one line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from symmetry.errors import SymmetryError
from symmetry.invariants.catalogue import Named
from symmetry.targets.trainer import DTYPES


def at_least(name: str, value: object, least: int) -> None:
    """Refuse what is no integer, or too small."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise SymmetryError(f"{name} must be an integer of at least {least}, not {value!r}")


def dtypes(given: Sequence[str]) -> tuple[str, ...]:
    """Return the dtypes to check in: without any, both."""
    for dtype in given:
        if dtype not in DTYPES:
            raise SymmetryError(f"dtype must be one of {', '.join(DTYPES)}, not {dtype!r}")
    return tuple(dtype for dtype in DTYPES if dtype in given or not given)


def expected_failures(
    given: Mapping[str, str] | None, invariants: Sequence[Named]
) -> Mapping[str, str]:
    """Refuse expectations of invariants that do not exist, and those without a reason."""
    names = [invariant.name for invariant in invariants]
    expected = dict(given or {})
    for name, reason in expected.items():
        if name not in names:
            raise SymmetryError(
                f"cannot expect a failure of {name!r}: there are {', '.join(names)}"
            )
        if not reason.strip():
            raise SymmetryError(f"an expected failure of {name} needs a reason")
    return expected
