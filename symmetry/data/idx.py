"""Read IDX files, plain or gzipped, and believe nothing that they say about themselves.

An IDX file holds two zero bytes, a type code, the number of dimensions, one big-endian 32-bit
length for each dimension, and then the values in C order, to the end of the file. A name that ends
in ``.gz`` must hold exactly one gzip stream of such a file.
"""

from __future__ import annotations

import hashlib
import math
import os
import stat
import struct
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from symmetry.errors import SymmetryError
from symmetry.memory import available, in_words

UNSIGNED_BYTES = 0x08
OTHER_TYPES = {0x09: "int8", 0x0B: "int16", 0x0C: "int32", 0x0D: "float32", 0x0E: "float64"}
GZIP_MAGIC = b"\x1f\x8b"
MOST_FROM_A_BYTE = 1032  # deflate: two bits are the least that can stand for 258 bytes
MUCH_FROM_A_BYTE = 100  # real images give 5 or so, empty ones as much as deflate can
MUCH = 1 << 26
CHUNK = 1 << 18  # bytes read at a time; of inflated ones at most 64 times as many


class DataError(SymmetryError):
    """Data are not what they have to be; the message says where, what was expected, what found."""


def about(path: Path, problem: str) -> DataError:
    """Return the error that says ``problem`` about ``path``, whatever characters its name holds."""
    name = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(path))
    return DataError(f"{name if len(name) <= 150 else '...' + name[-147:]}: {problem}")


def read_idx(path: Path, *, dimensions: int) -> tuple[NDArray[np.uint8], str]:
    """Read the unsigned bytes of an IDX file.

    Parameters
    ----------
    path
        Inflated when its name ends in ``.gz``, read as it is otherwise.
    dimensions
        How many the file must have: 3 for images, 1 for labels.

    Returns
    -------
    array
        Fresh and writable, no length zero.
    digest
        SHA-256 of the uncompressed file in hexadecimal digits.

    Raises
    ------
    DataError
        The file cannot be read, is no sound IDX file, ends before or after the end that its
        header claims, or claims more than memory holds. What the header claims never makes memory
        be allocated: that grows with the bytes that are really there, and no more than the claim
        and one byte is ever inflated.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # opening a pipe would wait forever
            kind = "a directory" if path.is_dir() else "something else"
            raise about(path, f"expected a regular file, found {kind}")
        with path.open("rb") as file:
            source = _Gzip(path, file) if path.suffix == ".gz" else _Plain(file)
            data, shape = _read(path, source, dimensions)
    except OSError as error:
        raise about(path, f"cannot be read: {error.strerror or error}") from error
    except MemoryError as error:
        raise about(path, "expected a file that fits into memory, found more") from error
    array = np.frombuffer(data, np.uint8, offset=4 + 4 * dimensions).reshape(shape)
    return array, hashlib.sha256(data).hexdigest()


class _Plain:
    """The bytes of a plain file: exactly ``least == most`` of them."""

    def __init__(self, file: BinaryIO) -> None:
        self.least = self.most = self.much = os.fstat(file.fileno()).st_size
        self.holds = f"{self.most} bytes"
        self._file = file

    def read(self, limit: int) -> bytes:
        """Return 1 to ``limit`` bytes, or none at the end of the file."""
        return self._file.read(min(limit, CHUNK))


class _Gzip:
    """The inflated bytes of the single gzip stream in a file: at most ``most`` of them.

    More than ``much`` is believed of no file: it was made to fill somebody's memory.

    Python's ``GzipFile`` would pass over zero bytes after the stream and append further streams;
    here whatever follows the stream is an error.
    """

    def __init__(self, path: Path, file: BinaryIO) -> None:
        size = os.fstat(file.fileno()).st_size
        self.least, self.most = 0, size * MOST_FROM_A_BYTE
        self.much = max(MUCH, size * MUCH_FROM_A_BYTE)
        self.holds = f"{size} gzipped bytes, which hold at most {self.most}"
        self._path, self._file = path, file
        self._inflater = zlib.decompressobj(wbits=31)  # 31: with gzip's header and checksum
        self._check_magic()

    def _check_magic(self) -> None:
        magic = self._file.read(2)
        self._file.seek(0)
        if magic != GZIP_MAGIC:
            hint = "; a plain file goes without .gz in its name" if magic == b"\0\0" else ""
            raise about(self._path, f"expected a gzip stream (1f 8b), found {_hex(magic)}{hint}")

    def read(self, limit: int) -> bytes:
        """Return 1 to ``limit`` bytes, or none at the end of a stream whose checksum is right."""
        while not self._inflater.eof:
            packed = self._inflater.unconsumed_tail or self._file.read(CHUNK)
            try:
                piece = self._inflater.decompress(packed, min(limit, 64 * CHUNK))
            except zlib.error as error:
                reason = str(error).rpartition(": ")[2]
                raise about(self._path, f"expected a sound gzip stream, found {reason}") from error
            if piece:
                return piece
            if not packed and not self._inflater.eof:
                raise about(self._path, "expected a whole gzip stream, found its end missing")
        self._check_end()
        return b""

    def _check_end(self) -> None:
        trailing = (self._inflater.unused_data + self._file.read(8))[:8]
        if trailing:
            problem = f"expected one gzip stream and no more, found {_hex(trailing)} after it"
            raise about(self._path, problem)


def _read(path: Path, source: _Plain | _Gzip, dimensions: int) -> tuple[bytearray, tuple[int, ...]]:
    """Return the whole file, header included, and the shape of its array."""
    data, shape = _read_header(path, source, dimensions)
    total = len(data) + math.prod(shape)
    expected = f"expected {total} bytes, as its header claims ({words(shape)})"
    if not source.least <= total <= source.most:
        raise about(path, f"{expected}, found {source.holds}")
    if total > source.much:
        problem = f"expected at most {MUCH_FROM_A_BYTE} bytes from each gzipped one"
        raise about(path, f"{problem}, found {in_words(total)} claimed: unpack it if it is meant")
    if (there := available()) is not None and total > there:
        problem = f"expected a file that fits into {in_words(there)} of memory"
        raise about(path, f"{problem}, found one of {in_words(total)} ({words(shape)})")
    # One byte more than claimed is asked for: only its absence shows that the file ends there.
    while len(data) <= total and (piece := source.read(total + 1 - len(data))):
        data += piece
    if len(data) != total:
        raise about(path, f"{expected}, found {'more' if len(data) > total else len(data)}")
    return data, shape


def _read_header(
    path: Path, source: _Plain | _Gzip, dimensions: int
) -> tuple[bytearray, tuple[int, ...]]:
    """Return the bytes of the header and the lengths that it claims."""
    magic = _read_exactly(path, source, 4, "magic number")
    if magic[:2] != b"\0\0":
        hint = "; a gzip file needs .gz in its name" if magic[:2] == GZIP_MAGIC else ""
        raise about(path, f"expected an IDX file (00 00 first), found {_hex(magic[:2])}{hint}")
    if magic[2] != UNSIGNED_BYTES:
        kind = OTHER_TYPES.get(magic[2], "unknown")
        raise about(path, f"expected type code 08 (unsigned bytes), found {magic[2]:02x} ({kind})")
    if magic[3] != dimensions:
        hint = "; are images and labels swapped?" if magic[3] in (1, 3) else ""
        raise about(path, f"expected {dimensions} dimension(s), found {magic[3]}{hint}")
    lengths = _read_exactly(path, source, 4 * dimensions, "lengths")
    shape = struct.unpack(f">{dimensions}I", lengths)
    if 0 in shape:
        raise about(path, f"expected lengths of at least 1, found {words(shape)}")
    return magic + lengths, shape


def _read_exactly(path: Path, source: _Plain | _Gzip, count: int, what: str) -> bytearray:
    data = bytearray()
    while len(data) < count:
        piece = source.read(count - len(data))
        if not piece:
            raise about(path, f"expected {count} bytes of {what}, found {len(data)}")
        data += piece
    return data


def words(shape: tuple[int, ...]) -> str:
    """Return a shape as people write it: ``60000 x 28 x 28``."""
    return " x ".join(map(str, shape))


def _hex(data: bytes | bytearray) -> str:
    return data.hex(" ") or "nothing"
