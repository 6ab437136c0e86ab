"""The MNIST data set that comes with the package; origin and licence are in ``mnist/README.md``."""

from dataclasses import replace
from pathlib import Path

from symmetry.experiment.data.dataset import Dataset, load_dataset
from symmetry.experiment.data.idx import unexpected

DIRECTORY = Path(__file__).parent / "mnist"

CHECKSUMS = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}


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
