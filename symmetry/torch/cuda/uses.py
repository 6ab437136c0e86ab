"""Parts of CUDA that a script uses, by the names that its answer has for them."""

from typing import Any

Patch = tuple[Any, str, Any]  # owner, name, and what stands there meanwhile


class Uses(dict[str, None]):
    """The names of what a script uses, in the order of their first uses."""

    def add(self, name: str) -> None:
        """Note that something is used."""
        self[name] = None
