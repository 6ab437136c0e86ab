"""The files of a report."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from symmetry.files import content, write_all
from symmetry.report.figure import Figure


@dataclass(frozen=True)
class Report:
    """The files of one report: texts by name, and figures."""

    texts: dict[str, str]
    figures: tuple[Figure, ...] = ()

    def write(self, directory: Path, beside: Mapping[Path, bytes] | None = None) -> None:
        """Write it, and the files ``beside`` it; figures only where they show something else."""
        write_all({**self.contents(directory), **(beside or {})})

    def contents(self, directory: Path) -> dict[Path, str | bytes]:
        """Return what there is to be written: all texts, and figures that show something else."""
        texts = {directory / name: text for name, text in self.texts.items()}
        return texts | {directory / f.name: f.png() for f in self._outdated(directory)}

    def differences(self, directory: Path) -> tuple[str, ...]:
        """Return one line for each file that is missing or would be written differently."""
        texts = (n for n, t in self.texts.items() if content(directory / n) != t.encode())
        names = (*texts, *(figure.name for figure in self._outdated(directory)))
        return tuple(
            f"{path} {'would change' if path.exists() else 'is missing'}"
            for path in map(directory.joinpath, names)
        )

    def _outdated(self, directory: Path) -> list[Figure]:
        return [f for f in self.figures if not f.is_current(content(directory / f.name))]
