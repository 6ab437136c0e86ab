from __future__ import annotations

import gzip
import hashlib
import os
import tracemalloc
import zlib
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

from symmetry.experiment.data import idx
from symmetry.experiment.data.idx import DataError, read_idx
from tests.experiment.data.files import header, idx_bytes

ANY_ARRAY = st.sampled_from([1, 3]).flatmap(
    lambda n: arrays(np.uint8, array_shapes(min_dims=n, max_dims=n, max_side=5))
)
NAMES = st.sampled_from(["images", "images.gz"])


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("idx")


def write(path: Path, content: bytes | bytearray) -> Path:
    path.write_bytes(gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)
    return path


def message_of(path: Path, dimensions: int = 3) -> str:
    """Return what is wrong with a file; every message is one line that begins with its path."""
    with pytest.raises(DataError) as caught:
        read_idx(path, dimensions=dimensions)
    message = str(caught.value)
    assert message.isprintable()
    assert len(message) < 400
    return message.removeprefix(f"{path}: ")


# Sound files


@given(ANY_ARRAY, NAMES, st.integers(1, 9))
def test_what_was_written_is_read(
    directory: Path, array: NDArray[np.uint8], name: str, chunk: int
) -> None:
    content = idx_bytes(array)
    path = write(directory / name, content)
    with mock.patch.object(idx, "CHUNK", chunk):  # pieces end at every place
        found, digest = read_idx(path, dimensions=array.ndim)
    assert found.dtype == np.uint8
    assert found.shape == array.shape
    assert (found == array).all()
    assert found.flags.writeable
    assert found.flags.c_contiguous
    assert digest == hashlib.sha256(content).hexdigest()


def test_a_gzip_stream_may_carry_a_name(tmp_path: Path) -> None:
    array = np.ones((2, 2, 2), np.uint8)
    with gzip.open(tmp_path / "images.gz", "wb") as file:  # writes "images" into its header
        file.write(idx_bytes(array))
    assert (read_idx(tmp_path / "images.gz", dimensions=3)[0] == array).all()


# Damage anywhere


@given(ANY_ARRAY, NAMES, st.integers(1, 255), st.data())
def test_no_byte_of_the_header_can_change_unnoticed(
    directory: Path, array: NDArray[np.uint8], name: str, change: int, data: st.DataObject
) -> None:
    content = bytearray(idx_bytes(array))
    content[data.draw(st.integers(0, 3 + 4 * array.ndim), "position")] ^= change
    message_of(write(directory / name, content), array.ndim)


@given(ANY_ARRAY, st.integers(1, 255), st.data())
def test_changed_contents_and_checksums_of_a_gzip_file_are_refused(
    directory: Path, array: NDArray[np.uint8], change: int, data: st.DataObject
) -> None:
    packed = bytearray(gzip.compress(idx_bytes(array), mtime=0))
    packed[data.draw(st.integers(len(packed) - 8, len(packed) - 1), "position")] ^= change
    path = directory / "changed.gz"
    path.write_bytes(packed)
    assert "expected a sound gzip stream, found incorrect" in message_of(path, array.ndim)


@given(ANY_ARRAY, NAMES, st.data())
def test_a_file_cut_short_anywhere_is_refused(
    directory: Path, array: NDArray[np.uint8], name: str, data: st.DataObject
) -> None:
    path = write(directory / name, idx_bytes(array))
    os.truncate(path, data.draw(st.integers(0, path.stat().st_size - 1), "length"))
    message_of(path, array.ndim)


# What is said about each damage

SOUND = header(2, 3, 4) + bytes(24)

DAMAGED = {
    "empty": (b"", "expected 4 bytes of magic number, found 0"),
    "magic cut": (SOUND[:3], "expected 4 bytes of magic number, found 3"),
    "magic": (
        b"\0\x01" + SOUND[2:],
        "expected an IDX file (00 00 first), found 00 01",
    ),
    "text": (b"label,pixel\n", "expected an IDX file (00 00 first), found 6c 61"),
    "signed": (
        header(2, 3, 4, code=0x09) + bytes(24),
        "expected type code 08 (unsigned bytes), found 09 (int8)",
    ),
    "two bytes": (
        header(2, 3, 4, code=0x0B) + bytes(48),
        "expected type code 08 (unsigned bytes), found 0b (int16)",
    ),
    "float32": (
        header(2, 3, 4, code=0x0D) + bytes(96),
        "expected type code 08 (unsigned bytes), found 0d (float32)",
    ),
    "no type": (
        header(2, 3, 4, code=0x00) + bytes(24),
        "expected type code 08 (unsigned bytes), found 00 (unknown)",
    ),
    "labels": (
        header(24) + bytes(24),
        "expected 3 dimension(s), found 1; are images and labels swapped?",
    ),
    "two dimensions": (header(6, 4) + bytes(24), "expected 3 dimension(s), found 2"),
    "no dimension": (header() + bytes(24), "expected 3 dimension(s), found 0"),
    "lengths cut": (SOUND[:15], "expected 12 bytes of lengths, found 11"),
    "no images": (header(0, 3, 4), "expected lengths of at least 1, found 0 x 3 x 4"),
    "no columns": (header(2, 3, 0), "expected lengths of at least 1, found 2 x 3 x 0"),
}


@pytest.mark.parametrize("name", ["images", "images.gz"])
@pytest.mark.parametrize(("content", "message"), DAMAGED.values(), ids=DAMAGED)
def test_messages(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    assert message_of(write(tmp_path / name, content)) == message


def test_message_of_images_in_the_place_of_labels(tmp_path: Path) -> None:
    message = "expected 1 dimension(s), found 3; are images and labels swapped?"
    assert message_of(write(tmp_path / "labels", SOUND), 1) == message


CLAIM = "expected 40 bytes, as its header claims (2 x 3 x 4)"


def test_messages_of_wrong_lengths(tmp_path: Path) -> None:
    plain, packed = tmp_path / "images", tmp_path / "images.gz"
    assert message_of(write(plain, SOUND[:-1])) == f"{CLAIM}, found 39 bytes"
    assert message_of(write(plain, SOUND + b"\0")) == f"{CLAIM}, found 41 bytes"
    assert message_of(write(plain, SOUND[:16])) == f"{CLAIM}, found 16 bytes"
    assert message_of(write(packed, SOUND[:-1])) == f"{CLAIM}, found 39"
    assert message_of(write(packed, SOUND + b"\0")) == f"{CLAIM}, found more"
    assert message_of(write(packed, SOUND[:16])) == f"{CLAIM}, found 16"


def test_messages_of_damaged_gzip_streams(tmp_path: Path) -> None:
    path = write(tmp_path / "images.gz", SOUND)
    packed = path.read_bytes()

    def message(content: bytes) -> str:
        path.write_bytes(content)
        return message_of(path)

    assert message(b"") == "expected a gzip stream (1f 8b), found nothing"
    assert message(SOUND) == (
        "expected a gzip stream (1f 8b), found 00 00; a plain file goes without .gz in its name"
    )
    assert message(packed[:-1]) == "expected a whole gzip stream, found its end missing"
    assert message(packed[:12]) == "expected a whole gzip stream, found its end missing"
    wrong_sum = packed[:-8] + bytes([packed[-8] ^ 1]) + packed[-7:]
    assert message(wrong_sum) == "expected a sound gzip stream, found incorrect data check"
    wrong_length = packed[:-1] + b"\x01"
    assert message(wrong_length) == "expected a sound gzip stream, found incorrect length check"
    assert message(packed[:2] + b"\x07" + packed[3:]) == (
        "expected a sound gzip stream, found unknown compression method"
    )
    only_one = "expected one gzip stream and no more, found"
    assert message(packed + b"\0") == f"{only_one} 00 after it"
    assert message(packed + packed) == f"{only_one} {packed[:8].hex(' ')} after it"


def test_message_of_a_gzip_file_without_the_name_of_one(tmp_path: Path) -> None:
    path = tmp_path / "images"
    path.write_bytes(gzip.compress(SOUND, mtime=0))
    assert message_of(path) == (
        "expected an IDX file (00 00 first), found 1f 8b; a gzip file needs .gz in its name"
    )


def test_messages_of_what_is_no_file(tmp_path: Path) -> None:
    path = tmp_path / "images"
    assert message_of(path) == "cannot be read: No such file or directory"
    path.mkdir()
    assert message_of(path) == "expected a regular file, found a directory"
    assert message_of(path / "x" / "y") == "cannot be read: No such file or directory"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_refused_without_waiting_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "images")
    assert message_of(tmp_path / "images") == "expected a regular file, found something else"


# Memory


def peak_of_refusing(path: Path) -> tuple[str, int]:
    tracemalloc.start()
    try:
        message = message_of(path)
        return message, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", ["images", "images.gz"])
def test_a_claim_beyond_the_file_allocates_nothing(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, header(2**31, 2**31, 2**31) + bytes(4))
    message, peak = peak_of_refusing(path)
    claim = "9903520314283042199192993808 bytes, as its header claims"
    size = path.stat().st_size
    there = f"{size} gzipped bytes, which hold at most {1032 * size}"
    assert message == (
        f"expected {claim} (2147483648 x 2147483648 x 2147483648), "
        f"found {there if name.endswith('.gz') else '20 bytes'}"
    )
    assert peak < 1 << 20


@pytest.mark.parametrize("images", [1, 2])
def test_a_large_file_that_is_all_but_empty_is_not_inflated(tmp_path: Path, images: int) -> None:
    packer = zlib.compressobj(9, wbits=31)
    path = tmp_path / "images.gz"
    with path.open("wb") as file:
        file.write(packer.compress(header(images, 1 << 10, 1 << 15)))
        for _ in range(32 * images):
            file.write(packer.compress(bytes(1 << 20)))
        file.write(packer.compress(b"") + packer.flush())
    if images == 1:  # 32 MiB
        assert read_idx(path, dimensions=3)[0].shape == (1, 1 << 10, 1 << 15)
        return
    message, peak = peak_of_refusing(path)
    assert message == (
        "expected at most 100 bytes from each gzipped one, found 64.0 MiB claimed: "
        "unpack it if it is meant"
    )
    assert peak < 1 << 20


def test_what_does_not_fit_into_memory_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "images.gz", header(10, 1024, 1024) + bytes(10 << 20))
    monkeypatch.setattr(idx, "available", lambda: 9 << 20)
    message, peak = peak_of_refusing(path)
    assert message == (
        "expected a file that fits into 9.0 MiB of memory, found one of 10.0 MiB (10 x 1024 x 1024)"
    )
    assert peak < 1 << 20
