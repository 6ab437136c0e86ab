"""Reading IDX files, plain or gzipped, whose headers may claim anything.

An IDX file holds two zero bytes, a type code, the number of dimensions, one big-endian 32-bit
length for each dimension, and then the values in C order, to the end of the file. A name that ends
in ``.gz`` must hold exactly one gzip stream of such a file.
"""

import hashlib
import math
import os
import stat
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from symmetry.base.errors import SymmetryError
from symmetry.base.memory import available, in_words

UNSIGNED_BYTES = 0x08
OTHER_TYPES = {0x09: "int8", 0x0B: "int16", 0x0C: "int32", 0x0D: "float32", 0x0E: "float64"}
GZIP_MAGIC = b"\x1f\x8b"
MOST_FROM_A_BYTE = 1032  # deflate: two bits are the least that can stand for 258 bytes
MUCH_FROM_A_BYTE = 100  # real images give 5 or so, empty ones as much as deflate can
MUCH = 1 << 26
CHUNK = 1 << 18  # bytes read at a time


class DataError(SymmetryError):
    """Data are not what they have to be; the message says where, what was expected, what found."""

    def __init__(self, path: Path, problem: str) -> None:
        name = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(path))
        super().__init__(f"{name if len(name) <= 150 else '...' + name[-147:]}: {problem}")


def unexpected(path: Path, expected: str, found: object) -> DataError:
    """Return the error that something else was found than expected."""
    return DataError(path, f"expected {expected}, found {found}")


def read_idx(path: Path, *, dimensions: int) -> tuple[NDArray[np.uint8], str]:
    """Return the unsigned bytes of an IDX file as a fresh array, and the file's SHA-256.

    It is inflated when its name ends in ``.gz``. Images must have 3 ``dimensions``, labels 1, and
    no length is zero. It is an error if the file cannot be read, is no sound IDX file, ends before
    or after the end that its header claims, or claims more than memory holds. The header's claim
    allocates no memory: memory grows with the bytes that are really there, and no more than the
    claim and one byte is ever inflated.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # opening a pipe would wait forever
            kind = "a directory" if path.is_dir() else "something else"
            raise unexpected(path, "a regular file", kind)
        with path.open("rb") as file:
            data, shape = _read(path, file, dimensions)
    except OSError as error:
        raise DataError(path, f"cannot be read: {error.strerror or error}") from error
    except MemoryError as error:
        raise unexpected(path, "a file that fits into memory", "more") from error
    array = np.frombuffer(data, np.uint8, offset=4 + 4 * dimensions).reshape(shape)
    return array, hashlib.sha256(data).hexdigest()


def _read(path: Path, file: BinaryIO, dimensions: int) -> tuple[bytearray, tuple[int, ...]]:
    """Return the whole file, header included, and the shape of its array."""
    size, packed = os.fstat(file.fileno()).st_size, path.suffix == ".gz"
    read = _inflating(path, file) if packed else file.read
    data, shape = _read_header(path, read, dimensions)
    total, most = len(data) + math.prod(shape), size * MOST_FROM_A_BYTE
    expected = f"{total} bytes, as its header claims ({words(shape)})"
    if packed and total > most:
        raise unexpected(path, expected, f"{size} gzipped bytes, which hold at most {most}")
    if not packed and total != size:
        raise unexpected(path, expected, f"{size} bytes")
    if packed and total > max(MUCH, size * MUCH_FROM_A_BYTE):  # made to fill the memory
        found = f"{in_words(total)} claimed: unpack it if it is meant"
        raise unexpected(path, f"at most {MUCH_FROM_A_BYTE} bytes from each gzipped one", found)
    if (there := available()) is not None and total > there:
        found = f"one of {in_words(total)} ({words(shape)})"
        raise unexpected(path, f"a file that fits into {in_words(there)} of memory", found)
    # One byte more than claimed is asked for: only its absence shows that the file ends there.
    data += read(total + 1 - len(data))
    if len(data) != total:
        raise unexpected(path, expected, "more" if len(data) > total else len(data))
    return data, shape


def _inflating(path: Path, file: BinaryIO) -> Callable[[int], bytes | bytearray]:
    """Return a reader of the single gzip stream in a file; it takes a number of bytes.

    Python's ``GzipFile`` would pass over zero bytes after the stream and append further streams;
    here whatever follows the stream is an error.
    """
    magic = file.read(2)
    file.seek(0)
    if magic != GZIP_MAGIC:
        hint = "; a plain file goes without .gz in its name" if magic == b"\0\0" else ""
        raise unexpected(path, "a gzip stream (1f 8b)", _hex(magic) + hint)
    inflater = zlib.decompressobj(wbits=31)  # 31: with gzip's header and checksum

    def read(limit: int) -> bytearray:
        data = bytearray()  # grows with what is really there
        while len(data) < limit and not inflater.eof:
            packed = inflater.unconsumed_tail or file.read(CHUNK)
            try:
                piece = inflater.decompress(packed, limit - len(data))
            except zlib.error as error:
                reason = str(error).rpartition(": ")[2]
                raise unexpected(path, "a sound gzip stream", reason) from error
            if not (packed or piece or inflater.eof):
                raise unexpected(path, "a whole gzip stream", "its end missing")
            data += piece
        if inflater.eof and (trailing := (inflater.unused_data + file.read(8))[:8]):
            raise unexpected(path, "one gzip stream and no more", f"{_hex(trailing)} after it")
        return data

    return read


def _read_header(
    path: Path, read: Callable[[int], bytes | bytearray], dimensions: int
) -> tuple[bytearray, tuple[int, ...]]:
    """Return the bytes of the header and the lengths that it claims."""
    if len(magic := read(4)) < 4:
        raise unexpected(path, "4 bytes of magic number", len(magic))
    if magic[:2] != b"\0\0":
        hint = "; a gzip file needs .gz in its name" if magic[:2] == GZIP_MAGIC else ""
        raise unexpected(path, "an IDX file (00 00 first)", _hex(magic[:2]) + hint)
    if magic[2] != UNSIGNED_BYTES:
        kind = OTHER_TYPES.get(magic[2], "unknown")
        raise unexpected(path, "type code 08 (unsigned bytes)", f"{magic[2]:02x} ({kind})")
    if magic[3] != dimensions:
        hint = "; are images and labels swapped?" if magic[3] in (1, 3) else ""
        raise unexpected(path, f"{dimensions} dimension(s)", f"{magic[3]}{hint}")
    if len(lengths := read(4 * dimensions)) < 4 * dimensions:
        raise unexpected(path, f"{4 * dimensions} bytes of lengths", len(lengths))
    shape = struct.unpack(f">{dimensions}I", lengths)
    if 0 in shape:
        raise unexpected(path, "lengths of at least 1", words(shape))
    return bytearray(magic + lengths), shape


def words(shape: tuple[int, ...]) -> str:
    """Return a shape as people write it: ``60000 x 28 x 28``."""
    return " x ".join(map(str, shape))


def _hex(data: bytes | bytearray) -> str:
    return data.hex(" ") or "nothing"
