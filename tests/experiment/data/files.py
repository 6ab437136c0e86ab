"""IDX files made for tests, sound ones and damaged ones."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from symmetry.base.randomness.random import Random
from symmetry.experiment.data.dataset import DIMENSIONS

NAMES = tuple(DIMENSIONS)


def header(*lengths: int, code: int = 0x08, zeros: bytes = b"\0\0") -> bytes:
    return zeros + bytes([code, len(lengths)]) + struct.pack(f">{len(lengths)}I", *lengths)


def idx_bytes(array: NDArray[np.uint8]) -> bytes:
    return header(*array.shape) + array.tobytes()


def sample_files(
    *, train: int = 7, test: int = 4, shape: tuple[int, int] = (3, 5), classes: int = 3
) -> dict[str, bytes]:
    """Return the uncompressed bytes of a small sound data set by the files' usual names."""
    random = Random(0)
    return {
        name: idx_bytes(random.integers(bound, lengths).astype(np.uint8))
        for name, bound, lengths in (
            (NAMES[0], 256, (train, *shape)),
            (NAMES[1], classes, (train,)),
            (NAMES[2], 256, (test, *shape)),
            (NAMES[3], classes, (test,)),
        )
    }


def write_files(directory: Path, files: dict[str, bytes], *, zipped: bool = False) -> None:
    for name, content in files.items():
        if zipped:
            (directory / f"{name}.gz").write_bytes(gzip.compress(content, mtime=0))
        else:
            (directory / name).write_bytes(content)
