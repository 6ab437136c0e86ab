"""A data set: four IDX files that fit together.

MNIST comes with the package; its origin and licence are in ``mnist/README.md``.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symmetry.experiment.data.idx import DataError, read_idx, unexpected, words

DIRECTORY = Path(__file__).parent / "mnist"

CHECKSUMS = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}


DIMENSIONS = {
    "train-images-idx3-ubyte": 3,
    "train-labels-idx1-ubyte": 1,
    "t10k-images-idx3-ubyte": 3,
    "t10k-labels-idx1-ubyte": 1,
}


@dataclass(frozen=True, eq=False)
class Dataset:
    """Samples and labels to train on and to test with; each sample is an image."""

    name: str  # for people to read
    files: dict[str, str]  # SHA-256 of the uncompressed bytes by usual name, never with .gz
    image_shape: tuple[int, int]  # rows and columns
    train_x: NDArray[Any]  # the images as rows, shape (n, inputs); bytes, if they are from files
    train_labels: NDArray[Any]  # shape (n,), each below ``classes``
    test_x: NDArray[Any]
    test_labels: NDArray[Any]
    classes: int  # each label is below

    @property
    def inputs(self) -> int:
        """Number of pixels of an image, which are the inputs of a network."""
        return int(self.train_x.shape[1])

    @cached_property
    def never_lit(self) -> NDArray[np.bool_]:
        """The pixels that are zero in every training image, shape (inputs,)."""
        return np.logical_not(self.train_x.any(axis=0))


def load_dataset(directory: Path, classes: int) -> Dataset:
    """Load the four IDX files of ``directory``, each one plain or with ``.gz`` after its name.

    The directory gives the data set its name. It is an error if a file is missing, there both plain
    and gzipped, or damaged; if images and labels differ in number, or training and test images in
    shape; or if a label is ``classes`` or more.
    """
    paths = _find(directory)
    read = [(path, *read_idx(path, dimensions=DIMENSIONS[name])) for name, path in paths.items()]
    for (images_path, images, _), (path, labels, _) in (read[:2], read[2:]):
        if len(images) != len(labels):
            expected = f"{len(images)} labels, one for each image of {images_path.name}"
            raise unexpected(path, expected, len(labels))
        for first in np.flatnonzero(labels >= classes)[:1]:
            found = f"{labels[first]} at position {first} (from 0)"
            raise unexpected(path, f"labels below {classes}, the number of classes", found)
    (train_path, train, _), (_, train_labels, _), (path, test, _), (_, test_labels, _) = read
    if train.shape[1:] != test.shape[1:]:
        expected = f"images of {words(train.shape[1:])} as in {train_path.name}"
        raise unexpected(path, expected, words(test.shape[1:]))
    return Dataset(
        name=directory.resolve().name,  # resolved, so that "." has a name as well
        files={name: digest for name, (_, _, digest) in zip(paths, read, strict=True)},
        image_shape=train.shape[1:],
        train_x=train.reshape(len(train), -1),
        train_labels=train_labels,
        test_x=test.reshape(len(test), -1),
        test_labels=test_labels,
        classes=classes,
    )


def _find(directory: Path) -> dict[str, Path]:
    """Return the path of each of the four files by its usual name."""
    try:
        present = {path.name for path in directory.iterdir()}
    except OSError as error:
        problem = f"expected a directory with four IDX files, found: {error.strerror or error}"
        raise DataError(directory, problem) from error
    paths = {}
    for name in DIMENSIONS:
        found = [candidate for candidate in (name, f"{name}.gz") if candidate in present]
        if len(found) != 1:  # two might differ, and no rule would say which of them is meant
            raise unexpected(directory, f"{name} or {name}.gz", "both" if found else "neither")
        paths[name] = directory / found[0]
    return paths


def load_mnist(classes: int = 10) -> Dataset:
    """Load 60,000 and 10,000 images of 28 x 28, the same bytes as those that everyone uses.

    The digits need 10 classes; fewer is an error that names the first label out of range.
    """
    dataset = load_dataset(DIRECTORY, classes)
    for name, expected in CHECKSUMS.items():
        if dataset.files[name] != expected:
            found = f"{dataset.files[name]}; install the package again"
            raise unexpected(DIRECTORY / f"{name}.gz", f"SHA-256 {expected}", found)
    return replace(dataset, name="MNIST")
