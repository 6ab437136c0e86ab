from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from symmetry.experiment.data import dataset as module
from symmetry.experiment.data.dataset import CHECKSUMS, DIRECTORY, Dataset, load_mnist
from symmetry.experiment.data.idx import DataError


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return load_mnist()


def test_what_is_known_about_mnist(dataset: Dataset) -> None:
    assert dataset.name == "MNIST"
    assert dataset.classes == 10
    assert dataset.files == CHECKSUMS
    assert dataset.train_x.shape == (60_000, 784)
    assert dataset.test_x.shape == (10_000, 784)
    assert dataset.inputs == 784
    assert dataset.image_shape == (28, 28)
    assert dataset.train_labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    frequencies = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(dataset.train_labels).tolist() == frequencies
    assert np.bincount(dataset.test_labels)[1] == 1135
    assert np.count_nonzero(dataset.train_x) == 8_994_156


def test_the_digits_need_ten_classes() -> None:
    with pytest.raises(DataError) as caught:
        load_mnist(9)
    assert str(caught.value).endswith(
        "train-labels-idx1-ubyte.gz: expected labels below 9, the number of classes, "
        "found 9 at position 4 (from 0)"
    )
    assert load_mnist(11).classes == 11


def test_other_bytes_are_refused(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "t10k-labels-idx1-ubyte"
    for path in DIRECTORY.glob("*.gz"):
        (tmp_path / path.name).symlink_to(path)
    content = gzip.decompress((tmp_path / f"{name}.gz").read_bytes())
    (tmp_path / f"{name}.gz").unlink()
    (tmp_path / f"{name}.gz").write_bytes(gzip.compress(content[:-1] + b"\0"))
    monkeypatch.setattr(module, "DIRECTORY", tmp_path)
    with pytest.raises(DataError) as caught:
        load_mnist()
    message = str(caught.value)
    assert f"{name}.gz: expected SHA-256 {CHECKSUMS[name]}, found " in message
    assert message.endswith("; install the package again")
    assert len(message) < 400


def test_the_files_carry_neither_name_nor_time() -> None:
    for name in CHECKSUMS:
        with (DIRECTORY / f"{name}.gz").open("rb") as file:
            assert file.read(10) == bytes.fromhex("1f8b 0800 0000 0000 0203")
