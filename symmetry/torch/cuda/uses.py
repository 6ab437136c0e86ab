"""Parts of CUDA that a script uses, by the names that its answer has for them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Wrapper:
    """Stands in a patch for a function that wraps the one that is there when it is entered.

    That may be another wrapper: whoever collects optimisers has wrapped their ``__init__``, too.
    """

    wrap: Callable[[Any], Any]


class Uses(dict[str, None]):
    """The names of what a script uses, in the order of their first uses."""

    def add(self, name: str) -> None:
        """Note that something is used."""
        self[name] = None
