"""Data for public scripts: small files of the kinds that they read.

Each function writes into the folder of a repository. Numbers are drawn under a fixed seed.
"""

from __future__ import annotations

import csv
import gzip
import json
import shutil
import subprocess
import sys
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np

import symmetry

Data = Callable[[Path], None]

WORDS = [
    *("the", "a", "cat", "dog", "house", "tree", "sees", "eats", "finds"),
    *("old", "red", "big", "and"),
]
_MNIST = Path(symmetry.__file__).parent / "experiment/data/mnist"


def _random() -> np.random.Generator:
    return np.random.default_rng(0)


def folders(*names: str) -> Data:
    """Make empty folders, which a script takes for granted."""

    def data(folder: Path) -> None:
        for name in names:
            (folder / name).mkdir(parents=True, exist_ok=True)

    return data


def text(path: str, lines: int = 2000, per_line: int = 12) -> Data:
    """Write lines of random words."""

    def data(folder: Path) -> None:
        random = _random()
        rows = (" ".join(random.choice(WORDS, per_line)) for _ in range(lines))
        _file(folder, path).write_text("\n".join(rows) + "\n", "utf-8")

    return data


def pairs_of_sentences(path: str, lines: int = 200) -> Data:
    """Write two sentences a line, with a tab between, each in a JSON-free plain text."""

    def data(folder: Path) -> None:
        random = _random()
        rows = ("\t".join(" ".join(random.choice(WORDS, 6)) for _ in "ab") for _ in range(lines))
        _file(folder, path).write_text("\n".join(rows) + "\n", "utf-8")

    return data


def json_lines(
    path: str, rows: int = 64, **fields: Callable[[np.random.Generator], object]
) -> Data:
    """Write a line of JSON a sample; each field is drawn by a function."""

    def data(folder: Path) -> None:
        random = _random()
        lines = (
            json.dumps({name: draw(random) for name, draw in fields.items()}) for _ in range(rows)
        )
        _file(folder, path).write_text("\n".join(lines) + "\n", "utf-8")

    return data


def sentence(length: int = 30) -> Callable[[np.random.Generator], str]:
    """Return a field of :func:`json_lines`: random words."""
    return lambda random: " ".join(random.choice(WORDS, length))


def conversation(**more: str) -> Callable[[np.random.Generator], object]:
    """Return a field of :func:`json_lines`: a question and an answer of a chat."""
    parts = {"user": sentence(6), "assistant": sentence(8)}
    return lambda random: [
        {"role": who, "content": say(random), **more} for who, say in parts.items()
    ]


def vocabulary(corpus: str, into: str) -> Data:
    """Let the BERT of a repository build its vocabulary, as its README does."""
    build = "import sys; from bert_pytorch.dataset.vocab import build; sys.argv[1:] = {!r}; build()"

    def data(folder: Path) -> None:
        words = ["-c", corpus, "-o", into]
        subprocess.run([sys.executable, "-c", build.format(words)], cwd=folder, check=True)

    return data


def bytes_of_text(path: str, size: int = 96_000_000, used: int = 200_000) -> Data:
    """Write a gzipped text of so many bytes, of which the first are repeated."""

    def data(folder: Path) -> None:
        random = _random()
        words = " ".join(random.choice(WORDS, used // 4)).encode()[:used]
        with gzip.open(_file(folder, path), "wb", compresslevel=1) as file:
            file.write((words * (size // len(words) + 1))[:size])

    return data


def citations(folder: str, papers: int = 2708, words: int = 60, classes: int = 7) -> Data:
    """Write a graph as Cora has it: papers with words and a class, and who cites whom."""

    def data(place: Path) -> None:
        random = _random()
        rows = [
            [n, *(random.random(words) < 0.1).astype(int), f"class_{random.integers(classes)}"]
            for n in range(papers)
        ]
        _table(place, f"{folder}/cora.content", rows, "\t")
        edges = random.integers(0, papers, (2 * papers, 2))
        _table(place, f"{folder}/cora.cites", edges.tolist(), "\t")

    return data


def labelled_graphs(path: str, number: int = 60, size: int = 12, kinds: int = 3) -> Data:
    """Write graphs with a class each, as GIN reads them: of each node a kind and its neighbours."""

    def data(folder: Path) -> None:
        random = _random()
        lines = [f"{number}"]
        for n in range(number):
            lines.append(f"{size} {n % 2}")
            for node in range(size):
                others = [(node + step) % size for step in (1, size - 1)]
                lines.append(" ".join(map(str, [random.integers(kinds), len(others), *others])))
        _file(folder, path).write_text("\n".join(lines) + "\n", "utf-8")

    return data


def ratings(path: str, users: int = 50, films: int = 60, rows: int = 6000) -> Data:
    """Write ratings of films, as MovieLens has them."""

    def data(folder: Path) -> None:
        random = _random()
        drawn = zip(
            random.integers(1, users + 1, rows),
            random.integers(1, films + 1, rows),
            random.integers(1, 6, rows),
            random.integers(0, 10**9, rows),
            strict=True,
        )
        lines = ("::".join(map(str, row)) for row in drawn)
        _file(folder, path).write_text("\n".join(lines) + "\n", "utf-8")

    return data


def table(path: str, columns: int = 8, rows: int = 500, classes: int = 2) -> Data:
    """Write a CSV file of numbers, whose last column is a class."""

    def data(folder: Path) -> None:
        random = _random()
        names = [*(f"x{n}" for n in range(columns)), "label"]
        values = (
            [*random.normal(size=columns).round(4), random.integers(classes)] for _ in range(rows)
        )
        _table(folder, path, [names, *values], ",")

    return data


def mnist(folder: str, name: str = "MNIST") -> Data:
    """Lay the images of this project where torchvision looks for MNIST: ``FOLDER/MNIST/raw``."""

    def data(place: Path) -> None:
        raw = place / folder / name / "raw"
        raw.mkdir(parents=True, exist_ok=True)
        for file in _MNIST.glob("*ubyte*"):
            packed = gzip.open if file.suffix == ".gz" else open
            with (
                packed(file, "rb") as source,
                (raw / file.name.removesuffix(".gz")).open("wb") as to,
            ):
                shutil.copyfileobj(source, to)

    return data


_IMAGES = '''"""Random images in place of torchvision's, which no package index has."""

import numpy
from PIL import Image
from torchvision.datasets import *


class CIFAR10:
    classes = [*map(str, range(10))]

    def __init__(self, root, train=True, transform=None, target_transform=None, download=False):
        random = numpy.random.default_rng(int(train))
        self.data = random.integers(0, 256, (640, 32, 32, 3), numpy.uint8)
        self.targets = random.integers(0, len(self.classes), 640).tolist()
        self.transform, self.target_transform = transform, target_transform

    def __getitem__(self, index):
        image = Image.fromarray(self.data[index])
        return (self.transform(image) if self.transform else image), self.targets[index]

    def __len__(self):
        return len(self.data)


class CIFAR100(CIFAR10):
    classes = [*map(str, range(100))]
'''


_GYM = '''"""Environments of gymnasium with the interface that gym had until 0.21."""

import gymnasium
from gymnasium import spaces


class _Old(gymnasium.Wrapper):
    drawn = None

    @property
    def _max_episode_steps(self):
        return self.env.spec.max_episode_steps

    def seed(self, seed):
        self.drawn = seed

    def reset(self):
        seed, self.drawn = self.drawn, None
        return self.env.reset(seed=seed)[0]

    def step(self, action):
        *rest, ended, cut, told = self.env.step(action)
        return *rest, ended or cut, told


def make(name):
    return _Old(gymnasium.make(name))
'''


def old_gym() -> Data:
    """Write a module ``gym`` with the interface that gym had until 0.21."""
    return lines("gym.py", *_GYM.splitlines())


def images_module(path: str = "made_up_images.py") -> Data:
    """Write a module with CIFAR10 and CIFAR100 of random images, to import for torchvision's."""
    return lambda folder: _file(folder, path).write_text(_IMAGES, "utf-8") and None


def images(folder: str, number: int = 24, size: int = 64, masks: str | None = None) -> Data:
    """Write JPEG images, and for each a mask of two values as a GIF, if a folder is named."""

    def data(place: Path) -> None:
        from PIL import Image

        random = _random()
        for n in range(number):
            pixels = random.integers(0, 256, (size, size, 3), np.uint8)
            Image.fromarray(pixels).save(_file(place, f"{folder}/{n:03}.jpg"))
            if masks:
                mask = (random.random((size, size)) < 0.5).astype(np.uint8)
                Image.fromarray(mask * 255).save(_file(place, f"{masks}/{n:03}_mask.gif"))

    return data


def labelled(path: str, lines: int = 300, classes: int = 10) -> Data:
    """Write a sentence a line, a tab, and its class."""

    def data(folder: Path) -> None:
        random = _random()
        rows = (f"{sentence(6)(random)}\t{random.integers(classes)}" for _ in range(lines))
        _file(folder, path).write_text("\n".join(rows) + "\n", "utf-8")

    return data


def series(path: str, columns: tuple[str, ...], hours: int = 14500) -> Data:
    """Write a CSV file of numbers measured each hour."""

    def data(folder: Path) -> None:
        dates = np.datetime64("2016-07-01T00:00:00") + np.arange(hours) * np.timedelta64(1, "h")
        values = _random().normal(size=(hours, len(columns))).round(3).tolist()
        dated = (
            [str(date).replace("T", " "), *row] for date, row in zip(dates, values, strict=True)
        )
        _table(folder, path, [["date", *columns], *dated], ",")

    return data


def choices(path: str, users: int = 30, items: int = 120) -> Data:
    """Write who chose what as NCF reads it: ``.train.rating`` and ``.test.negative``."""

    def data(folder: Path) -> None:
        random = _random()
        drawn = [random.permutation(items) for _ in range(users)]
        train = [[user, item, 5, 0] for user, row in enumerate(drawn) for item in row[:8]]
        tests = [[f"({user},{row[8]})", *row[9:108]] for user, row in enumerate(drawn)]
        _table(folder, f"{path}.train.rating", train, "\t")
        text = "\n".join("\t".join(map(str, row)) for row in tests)
        _file(folder, f"{path}.test.negative").write_text(text + "\n", "utf-8")

    return data


def tokens(path: str, number: int = 4000, below: int = 64) -> Data:
    """Write numbers of tokens, 16 bits each."""

    def data(folder: Path) -> None:
        _file(folder, path).write_bytes(_random().integers(0, below, number, np.uint16).tobytes())

    return data


def sounds(folder: str, names: tuple[str, ...], rate: int = 16000, seconds: float = 1) -> Data:
    """Write WAV files of noise, 16 bits, one channel."""

    def data(place: Path) -> None:
        random = _random()
        for name in names:
            with wave.open(str(_file(place, f"{folder}/{name}.wav")), "wb") as file:
                file.setparams((1, 2, rate, 0, "NONE", ""))
                noise = random.normal(0, 3000, int(rate * seconds)).astype(np.int16)
                file.writeframes(noise.tobytes())

    return data


def lines(path: str, *rows: str) -> Data:
    """Write these lines."""
    return lambda folder: _file(folder, path).write_text("\n".join(rows) + "\n", "utf-8") and None


def _file(folder: Path, path: str) -> Path:
    file = folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    return file


def _table(folder: Path, path: str, rows: list[list[object]], between: str) -> None:
    with _file(folder, path).open("w", newline="") as file:
        csv.writer(file, delimiter=between).writerows(rows)
