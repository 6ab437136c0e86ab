"""The files of a report: texts, and figures, drawn again only when what they show has changed.

Drawing programs do not promise the same bytes from one version to the next. Only the data must not
change: its digest is kept in the picture's own metadata and compared instead.
"""

from __future__ import annotations

import hashlib
import io
import logging
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from symmetry.base.files import content, write_all

if TYPE_CHECKING:
    from matplotlib.axes import Axes

KEY = "symmetry-digest"
_STYLE = Path(__file__).with_name("figures.mplstyle")
_END = b"\0\0\0\0IEND\xaeB`\x82"  # the last chunk of every PNG file


@dataclass(frozen=True)
class Figure:
    """One picture of a report."""

    name: str  # of its file, ending in .png
    size: tuple[float, float]  # width and height in inches
    shows: tuple[Any, ...]  # arrays, texts and numbers
    draw: Callable[..., None]  # these on an empty Matplotlib figure: it depends on nothing else
    edition: int = 1  # to be changed with ``draw``: figures of an older one are replaced
    # Left, right, bottom and top in inches, and the gap between panels as a share of their width:
    # to find them takes as long as to draw.
    margins: tuple[float, float, float, float, float] | None = None

    @property
    def digest(self) -> str:
        """SHA-256 of everything the picture shows, the same on every machine."""
        sha = hashlib.sha256()
        for part in (self.name, self.edition, *self.size, *self.shows):
            array = np.asarray(part)
            if array.dtype.kind in "OU":  # texts, None
                data = repr(array.tolist()).encode()
            else:  # every number here is exact in one of these two
                data = array.astype("<f8" if array.dtype.kind == "f" else "<i8").tobytes()
            sha.update(f"{array.dtype.kind}{array.shape}{len(data)}:".encode() + data)
        return sha.hexdigest()

    def png(self) -> bytes:
        """Draw the picture; its digest is in the PNG's metadata."""
        style = _style()
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure as Canvas

        with style.context(["default", _STYLE]):  # a reader's own settings change no report
            canvas = Canvas(figsize=self.size, layout=None if self.margins else "constrained")
            FigureCanvasAgg(canvas)
            if self.margins:
                left, right, bottom, top, gap = self.margins
                width, height = self.size
                edges = left / width, bottom / height, 1 - right / width, 1 - top / height
                canvas.subplots_adjust(*edges, wspace=gap)
            self.draw(canvas, *self.shows)
            data = io.BytesIO()
            metadata = {"Software": None, KEY: self.digest}
            quickly = {"compress_level": 3}  # 6 takes twice as long and saves a tenth
            canvas.savefig(data, format="png", metadata=metadata, pil_kwargs=quickly)
        return data.getvalue()

    def is_current(self, png: bytes | None) -> bool:
        """Return whether ``png`` is an undamaged picture of the same data."""
        return png is not None and kept_digest(png) == self.digest


@dataclass(frozen=True)
class ReportFiles:
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


def _style() -> ModuleType:
    """Import Matplotlib's styles, whatever the environment says about a backend: none is used.

    MPLBACKEND may name one that is not installed, as it does in processes that notebooks start.
    """
    # Its notes on font caches and unwritable homes are not this command's output.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    backend = os.environ.pop("MPLBACKEND", None)
    try:
        import matplotlib.style
    finally:
        if backend is not None:
            os.environ["MPLBACKEND"] = backend
    if backend is not None:
        with suppress(ValueError):  # figures that others make in this process get theirs
            matplotlib.rcParams["backend"] = backend
    return matplotlib.style


def plain(axes: Axes) -> None:
    """Take away the frame lines that carry no scale."""
    axes.spines[["top", "right"]].set_visible(False)


def kept_digest(png: bytes) -> str | None:
    """Return the digest that a PNG file keeps; None if the file is not whole, to its last byte."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(png), formats=["PNG"]) as image:
            image.verify()  # all checksums
            digest: str | None = image.info.get(KEY)
    except Exception:  # there are many ways to be damaged
        return None
    return digest if png.endswith(_END) else None
