"""A data set: four IDX files that fit together."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from symmetry.data.idx import about, read_idx, words

DIMENSIONS = {
    "train-images-idx3-ubyte": 3,
    "train-labels-idx1-ubyte": 1,
    "t10k-images-idx3-ubyte": 3,
    "t10k-labels-idx1-ubyte": 1,
}


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images and labels to train on and to test with; all images have the same shape."""

    name: str  # for people to read
    files: dict[str, str]  # SHA-256 of the uncompressed bytes by usual name, never with .gz
    train_images: NDArray[np.uint8]  # shape (n, rows, columns)
    train_labels: NDArray[np.uint8]  # shape (n,), each below ``classes``
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.uint8]
    classes: int  # how many the labels may tell apart

    @property
    def image_shape(self) -> tuple[int, int]:
        """Rows and columns of an image."""
        _, rows, columns = self.train_images.shape
        return rows, columns

    @property
    def inputs(self) -> int:
        """Number of pixels of an image, which are the inputs of a network."""
        rows, columns = self.image_shape
        return rows * columns

    @property
    def train_x(self) -> NDArray[np.uint8]:
        """The training images as rows, a view of shape (n, inputs)."""
        return self.train_images.reshape(-1, self.inputs)

    @cached_property
    def class_counts(self) -> NDArray[np.int64]:
        """How many training images each class has, shape (classes,)."""
        return np.bincount(self.train_labels, minlength=self.classes)

    @cached_property
    def never_lit(self) -> NDArray[np.bool_]:
        """The pixels that are zero in every training image, shape (inputs,)."""
        return np.logical_not(self.train_x.any(axis=0))

    @property
    def test_x(self) -> NDArray[np.uint8]:
        """The test images as rows, a view of shape (n, inputs)."""
        return self.test_images.reshape(-1, self.inputs)


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
            expectation = f"expected {len(images)} labels, one for each image of {images_path.name}"
            raise about(path, f"{expectation}, found {len(labels)}")
    for path, labels, _ in read[1::2]:
        for first in np.flatnonzero(labels.astype(np.int64) >= classes)[:1]:
            expectation = f"expected labels below {classes}, the number of classes"
            found = f"found {labels[first]} at position {first} (from 0)"
            raise about(path, f"{expectation}, {found}")
    train, train_labels, test, test_labels = (array for _, array, _ in read)
    if train.shape[1:] != test.shape[1:]:
        (train_path, *_), (test_path, *_) = read[::2]
        expectation = f"expected images of {words(train.shape[1:])} as in {train_path.name}"
        raise about(test_path, f"{expectation}, found {words(test.shape[1:])}")
    files = {name: digest for name, (_, _, digest) in zip(paths, read, strict=True)}
    name = directory.resolve().name  # resolved, so that "." has a name as well
    return Dataset(name, files, train, train_labels, test, test_labels, classes)


def _find(directory: Path) -> dict[str, Path]:
    """Return the path of each of the four files by its usual name."""
    try:
        present = {path.name for path in directory.iterdir()}
    except OSError as error:
        problem = f"expected a directory with four IDX files, found: {error.strerror or error}"
        raise about(directory, problem) from error
    paths = {}
    for name in DIMENSIONS:
        found = [candidate for candidate in (name, f"{name}.gz") if candidate in present]
        if len(found) != 1:  # two might differ, and no rule would say which of them is meant
            number = "both" if found else "neither"
            raise about(directory, f"expected {name} or {name}.gz, found {number}")
        paths[name] = directory / found[0]
    return paths
