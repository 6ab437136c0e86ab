from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from symmetry.experiment.data.dataset import load_dataset
from symmetry.experiment.data.idx import DataError
from tests.experiment.data.files import NAMES, header, idx_bytes, sample_files, write_files

TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS = NAMES


def message_of(directory: Path, classes: int = 3) -> str:
    with pytest.raises(DataError) as caught:
        load_dataset(directory, classes)
    message = str(caught.value)
    assert message.isprintable()
    assert len(message) < 400
    return message


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("shape", [(3, 5), (1, 40)])
def test_a_sound_data_set(tmp_path: Path, zipped: bool, shape: tuple[int, int]) -> None:
    directory = tmp_path / "digits"
    directory.mkdir()
    files = sample_files(shape=shape)
    write_files(directory, files, zipped=zipped)
    dataset = load_dataset(directory, 3)
    assert dataset.name == "digits"
    assert dataset.classes == 3
    assert dataset.image_shape == shape
    assert dataset.inputs == shape[0] * shape[1]
    assert dataset.train_x.shape == (7, dataset.inputs)
    assert dataset.test_x.shape == (4, dataset.inputs)
    assert idx_bytes(dataset.train_x.reshape(7, *shape)) == files[TRAIN_IMAGES]
    assert idx_bytes(dataset.train_labels) == files[TRAIN_LABELS]
    assert idx_bytes(dataset.test_x.reshape(4, *shape)) == files[TEST_IMAGES]
    assert idx_bytes(dataset.test_labels) == files[TEST_LABELS]
    assert dataset.files == {
        name: hashlib.sha256(content).hexdigest() for name, content in files.items()
    }


# One file damaged


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("damage", ["truncated", "lengthened", "type", "empty", "no items"])
def test_the_damaged_file_is_named(tmp_path: Path, name: str, damage: str, zipped: bool) -> None:
    files = sample_files()
    content = files[name]
    lengths = (0, 3, 5) if "images" in name else (0,)
    files[name] = {
        "truncated": content[:-1],
        "lengthened": content + b"\0",
        "type": content[:2] + b"\x0d" + content[3:],
        "empty": b"",
        "no items": header(*lengths),
    }[damage]
    write_files(tmp_path, files, zipped=zipped)
    path = tmp_path / (f"{name}.gz" if zipped else name)
    message = message_of(tmp_path)
    assert message.startswith(f"{path}: expected ")
    assert ", found " in message


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_file(tmp_path: Path, name: str) -> None:
    files = sample_files()
    del files[name]
    write_files(tmp_path, files)
    assert message_of(tmp_path) == f"{tmp_path}: expected {name} or {name}.gz, found neither"


@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_is_there_twice(tmp_path: Path, name: str) -> None:
    write_files(tmp_path, sample_files())
    write_files(tmp_path, {name: sample_files()[name]}, zipped=True)
    assert message_of(tmp_path) == f"{tmp_path}: expected {name} or {name}.gz, found both"


def test_a_directory_that_is_none(tmp_path: Path) -> None:
    expected = "expected a directory with four IDX files, found"
    missing, file = tmp_path / "missing", tmp_path / "file"
    file.touch()
    assert message_of(missing) == f"{missing}: {expected}: No such file or directory"
    assert message_of(file) == f"{file}: {expected}: Not a directory"


# Four sound files that do not fit together


@pytest.mark.parametrize(("first", "second"), [(0, 2), (1, 3)])
def test_swapped_training_and_test_files(tmp_path: Path, first: int, second: int) -> None:
    files = sample_files()
    one, other = NAMES[first], NAMES[second]
    files[one], files[other] = files[other], files[one]
    write_files(tmp_path, files)
    assert f"one for each image of {TRAIN_IMAGES}, found" in message_of(tmp_path)


def test_fewer_labels_than_images(tmp_path: Path) -> None:
    files = sample_files()
    files[TEST_LABELS] = idx_bytes(np.zeros(3, np.uint8))
    write_files(tmp_path, files, zipped=True)
    assert message_of(tmp_path) == (
        f"{tmp_path / TEST_LABELS}.gz: "
        f"expected 4 labels, one for each image of {TEST_IMAGES}.gz, found 3"
    )


@pytest.mark.parametrize("name", [TRAIN_LABELS, TEST_LABELS])
@pytest.mark.parametrize("label", [3, 255])
def test_a_label_out_of_range(tmp_path: Path, name: str, label: int) -> None:
    files = sample_files()
    files[name] = files[name][:-2] + bytes([label, 4])
    write_files(tmp_path, files)
    position = 5 if name == TRAIN_LABELS else 2
    assert message_of(tmp_path) == (
        f"{tmp_path / name}: expected labels below 3, the number of classes, "
        f"found {label} at position {position} (from 0)"
    )


def test_test_images_of_another_shape(tmp_path: Path) -> None:
    files = sample_files(shape=(3, 5))
    files[TEST_IMAGES] = sample_files(shape=(5, 3))[TEST_IMAGES]
    write_files(tmp_path, files)
    assert message_of(tmp_path) == (
        f"{tmp_path / TEST_IMAGES}: expected images of 3 x 5 as in {TRAIN_IMAGES}, found 5 x 3"
    )
