"""A figure that knows what it shows, so that it is drawn again only when that changes.

Drawing programs do not promise the same bytes from one version to the next. What must not change
is the data: its digest is kept in the picture's own metadata and compared instead.
"""

from __future__ import annotations

import hashlib
import io
import logging
import os
import struct
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

KEY = "symmetry-digest"
_SIGNATURE = b"\x89PNG\r\n\x1a\n"

_STYLE: Any = {  # Matplotlib types every single key
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.titlepad": 9,
    "axes.edgecolor": "#888888",
    "axes.labelcolor": "#333333",
    "axes.linewidth": 0.8,
    "xtick.color": "#555555",
    "ytick.color": "#555555",
    "text.color": "#222222",
    "legend.frameon": False,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "savefig.dpi": 144,
}


@dataclass(frozen=True)
class Figure:
    """One picture of a report."""

    name: str  # of its file, ending in .png
    size: tuple[float, float]  # width and height in inches
    shows: tuple[Any, ...]  # all that it depends on: arrays, texts and numbers
    draw: Callable[[Canvas], None]  # on an empty Matplotlib figure
    edition: int = 1  # to be changed with ``draw``: figures of an older one are replaced
    layout: Literal["constrained"] | None = "constrained"  # None draws in half the time

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
            canvas = Canvas(figsize=self.size, layout=self.layout)
            FigureCanvasAgg(canvas)
            self.draw(canvas)
            data = io.BytesIO()
            metadata = {"Software": None, KEY: self.digest}
            quickly = {"compress_level": 3}  # 6 takes twice as long and saves a tenth
            canvas.savefig(data, format="png", metadata=metadata, pil_kwargs=quickly)
        return data.getvalue()

    def is_current(self, png: bytes | None) -> bool:
        """Return whether ``png`` is an undamaged picture of the same data."""
        return png is not None and png_texts(png).get(KEY) == self.digest


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


def png_texts(png: bytes) -> dict[str, str]:
    """Return the text entries of a PNG file; none at all if it is not whole, to the last checksum.

    A PNG is a signature and chunks of length, type, data and CRC; the last chunk is ``IEND``.
    """
    texts: dict[str, str] = {}
    if not png.startswith(_SIGNATURE):
        return {}
    place = len(_SIGNATURE)
    while place + 12 <= len(png):
        length = struct.unpack_from(">I", png, place)[0]
        chunk = png[place + 4 : place + 8 + length]
        end = place + 12 + length
        if end > len(png) or png[end - 4 : end] != zlib.crc32(chunk).to_bytes(4, "big"):
            return {}
        if chunk[:4] == b"tEXt":
            key, _, value = chunk[4:].partition(b"\0")
            texts[key.decode("latin-1")] = value.decode("latin-1")
        if chunk[:4] == b"IEND":
            return texts if end == len(png) else {}
        place = end
    return {}
