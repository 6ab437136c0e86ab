"""Recorded runs: all that a comparison needs of a training, in one file.

It is a safetensors file: no code is in it, and it can be read everywhere. Its arrays are numbered;
its metadata has one text ``symmetry`` in JSON, which says what each of them is:

    format    the version of all this
    name, seed, made_with, left_out
    digest    of all arrays
    sides     by dtype: start {name: array}, held [name], and steps [{loss, rates, calls, shown}],
              where ``shown`` lists [phase, name, response, scale, [array, ...], [file, line]] as it
              happens; without a line it is [phase, name, response, scale, [array, ...], null]
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from symmetry.base.errors import SymmetryError
from symmetry.base.files import write_all
from symmetry.base.ranks import rank
from symmetry.comparison.side import Draws, LiveSide, Responses, Side
from symmetry.training import frameworks
from symmetry.training.observation import Observation, ObservedCall, ObservedName
from symmetry.training.response import MORE_DRAWS
from symmetry.units.state import Array, State

FORMAT = 2
_KEY = "symmetry"
_GIB = 1 << 30


@dataclass(eq=False)
class RecordedSide(Side):
    """A side that was recorded."""

    name: str
    dtype: str
    start: State
    held: frozenset[str]
    shown: list[Observation]
    sizes: Responses
    responses: Responses
    draws: Draws = "own"

    @property
    def kept(self) -> list[Observation]:
        """The observations of each of its steps."""
        return self.shown

    @property
    def scale(self) -> Responses:
        """The largest entry of each array, by step."""
        return self.sizes

    def response(self, draws: int) -> Responses:  # noqa: ARG002
        """Return what was measured when it was recorded, with all draws."""
        return self.responses

    def first(self, steps: int) -> RecordedSide:
        """Return what it showed in its first steps."""
        parts = self.kept[:steps], self.scale[:steps], self.responses[:steps]
        return RecordedSide(self.name, self.dtype, self.start, self.held, *parts)

    def renamed(self, names: Callable[[str], str]) -> RecordedSide:
        """Return it under the names that a reference has."""

        def key(old: ObservedName) -> ObservedName:
            return old._replace(name=names(old.name))

        def keys(numbers: Responses) -> Responses:
            return [{key(k): number for k, number in step.items()} for step in numbers]

        shown = [
            replace(
                step,
                parts={key(k): parts for k, parts in step.parts.items()},
                lines={key(k): line for k, line in step.lines.items()},
            )
            for step in self.shown
        ]
        start = {names(name): array for name, array in self.start.items()}
        held = frozenset(map(names, self.held))
        scales, responses = keys(self.sizes), keys(self.responses)
        return RecordedSide(self.name, self.dtype, start, held, shown, scales, responses)


@dataclass(frozen=True)
class RecordingFile:
    """All that a file holds."""

    name: str  # the path of the file
    training: str  # the name of what was recorded
    seed: int
    reseeded: bool
    made_with: Mapping[str, str]
    left_out: tuple[str, ...]
    sides: Mapping[str, RecordedSide]  # by dtype

    def side(
        self, dtype: str, steps: int, renamed: Callable[[str], str] | None = None
    ) -> RecordedSide:
        """Return what was recorded of the first steps, as written or promoted."""
        side = self.sides[dtype].first(steps)
        return side.renamed(renamed) if renamed is not None else side


def write(file: Path, sides: Iterable[LiveSide], max_size: float) -> tuple[str, ...]:
    """Write watched sides of one training into a file; return the names of what is left out.

    What exceeds ``max_size`` GiB is left out, the largest first; never the start.
    """
    from safetensors.numpy import save

    sides = tuple(sides)
    out = _too_large(sides, max_size * _GIB)
    arrays = _Numbered()
    left_out = sorted({key.name for key in out})
    about: dict[str, Any] = {
        "format": FORMAT,
        "name": sides[0].name,
        "seed": sides[0].asked.seed,
        "reseeded": sides[0].asked.reseeded,
        "made_with": made_with(),
        "left_out": left_out,
        "sides": {side.dtype: _described(side, arrays, out) for side in sides},
    }
    about["digest"] = _digest(arrays.numbered)
    if rank() == 0:  # the others have taken part in the runs
        write_all({file: save(arrays.numbered, {_KEY: json.dumps(about)})})
    return tuple(left_out)


def read(file: Path) -> RecordingFile:
    """Read a file.

    Raises
    ------
    SymmetryError
        If it cannot be read, is cut off or changed, or is of another format.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, "numpy") as opened:
            text = (opened.metadata() or {}).get(_KEY)
            arrays = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        raise SymmetryError(f"cannot read {file}, it may be cut off: {error}") from None
    try:
        about = json.loads(text or "")
        form, digest = about["format"], about["digest"]
    except (ValueError, LookupError, TypeError):
        raise SymmetryError(f"{file} is no recorded run: symmetry record writes one") from None
    if form != FORMAT:
        raise SymmetryError(f"{file} has format {form}, and this version reads format {FORMAT}")
    if digest != _digest(arrays):
        raise SymmetryError(f"{file} has been changed: its arrays are not those that were written")
    try:
        sides = {dtype: _side(str(file), dtype, s, arrays) for dtype, s in about["sides"].items()}
        name, seed, made = about["name"], int(about["seed"]), about["made_with"]
        reseeded, left_out = bool(about["reseeded"]), tuple(about["left_out"])
        return RecordingFile(str(file), name, seed, reseeded, made, left_out, sides)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise SymmetryError(f"{file}: its arrays do not fit its text: {error!r}") from None


class _Numbered:
    """Arrays by number, each once."""

    def __init__(self) -> None:
        self.numbered: dict[str, Array] = {}
        self._known: dict[int, str] = {}

    def add(self, array: Array) -> str:
        """Return the number of an array."""
        if id(array) not in self._known:
            self._known[id(array)] = name = str(len(self.numbered))
            self.numbered[name] = np.ascontiguousarray(array).reshape(array.shape)
        return self._known[id(array)]


def _described(side: LiveSide, arrays: _Numbered, out: set[ObservedName]) -> dict[str, Any]:
    responses = side.response(MORE_DRAWS)
    return {
        "start": {name: arrays.add(array) for name, array in side.start.items()},
        "held": sorted(side.held),
        "steps": [
            {
                "loss": shown.loss,
                "rates": shown.rates,
                "calls": shown.calls,
                "shown": [
                    [
                        *key,
                        response[key],
                        scale[key],
                        [*map(arrays.add, parts)],
                        shown.lines.get(key),
                    ]
                    for key, parts in shown.parts.items()
                    if key not in out
                ],
            }
            for shown, response, scale in zip(side.kept, responses, side.scale, strict=True)
        ],
    }


def _side(name: str, dtype: str, about: Any, arrays: Mapping[str, Array]) -> RecordedSide:
    kept, scales, responses = [], [], []
    for step in about["steps"]:
        shown = Observation(rates=step["rates"], loss=step["loss"])
        shown.calls = [
            ObservedCall(
                module, parent, *(tuple(ObservedName(*key) for key in keys) for keys in given)
            )
            for module, parent, *given in step["calls"]
        ]
        response, scale = {}, {}
        for phase, what, moved, size, numbers, line in step["shown"]:
            key = ObservedName(phase, what)
            shown.parts[key] = [arrays[number] for number in numbers]
            if line is not None:
                shown.lines[key] = str(line[0]), int(line[1])
            response[key], scale[key] = float(moved), float(size)
        kept.append(shown)
        scales.append(scale)
        responses.append(response)
    start = {name: arrays[number] for name, number in about["start"].items()}
    return RecordedSide(name, dtype, start, frozenset(about["held"]), kept, scales, responses)


def _too_large(sides: Sequence[LiveSide], most: float) -> set[ObservedName]:
    """Return what is to be left out, the largest first; arrays that are shown twice count once."""
    sizes: dict[ObservedName, int] = {}
    seen: set[int] = set()
    for side in sides:
        for shown in side.kept:
            for key, parts in shown.parts.items():
                new = {id(array): array.nbytes for array in parts if id(array) not in seen}
                sizes[key] = sizes.get(key, 0) + sum(new.values())
                seen |= new.keys()
    size = sum(sizes.values()) + sum(a.nbytes for side in sides for a in side.start.values())
    out: set[ObservedName] = set()
    for key in sorted(sizes, key=lambda key: -sizes[key]):
        if size <= most:
            break
        out.add(key)
        size -= sizes[key]
    return out


def made_with() -> dict[str, str]:
    """Return what a run was made with: versions, the processor and the number of threads."""
    threads = os.environ.get("OMP_NUM_THREADS", "1")
    processor = platform.processor() or platform.machine()
    found = {"python": platform.python_version(), "processor": processor, "threads": threads}
    for package in ("unit-symmetry", *frameworks.registered(), "numpy"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _digest(arrays: Mapping[str, Array]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for name in sorted(arrays):
        digest.update(f"{name}{arrays[name].dtype.str}{arrays[name].shape}".encode())
        digest.update(np.ascontiguousarray(arrays[name]).data)
    return digest.hexdigest()
