"""A script as it is named: a file, a module or a function, its arguments, and where it runs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from symmetry.base import devices, ranks


@dataclass(frozen=True)
class Source:
    """A script as a command line names it."""

    name: str  # the name of the training, for messages
    # The file; or the name of a module, which is run as ``python -m`` does; or a function without
    # parameters that trains, with the modules that are imported by now.
    script: Path | str | Callable[[], Any]
    arguments: tuple[str, ...] = ()  # the words that follow it on the command line
    # Which of its functions may be meant, if it does not train: the end of an error.
    meant: str = ""
    folder: Path = field(default_factory=Path.cwd)  # the working directory
    # Whether it runs on the CPU in place of a GPU that it needs: one of ``devices.CHOICES``.
    device: str = field(default_factory=devices.chosen)
    # How many ranks it runs on, to be checked for what differs between them.
    ranks: int = field(default_factory=ranks.chosen)
    # Variables of its environment, beside those of this process.
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def homes(self) -> tuple[Path, ...]:
        """The folders that it works in: the script's comes first on the import path."""
        if isinstance(self.script, Path) and self.script.parent != self.folder:
            return self.script.parent, self.folder
        return (self.folder,)
