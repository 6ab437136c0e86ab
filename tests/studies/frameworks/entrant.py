"""A trainer's name, which may carry settings: ``torch[MKL_CBWR=AVX2,deterministic]``."""

import os
import re
from dataclasses import dataclass

from symmetry.base.errors import SymmetryError
from symmetry.targets.resolve import BUILTIN

_NAME = re.compile(r"(?P<trainer>[^\[\]]+)\[(?P<settings>.*)\]", re.DOTALL)
_SETTING = re.compile(r"(?P<name>[A-Za-z_]\w*)=(?P<value>[^\0]*)", re.ASCII)
_COMMA = re.compile(r",\s*(?![A-Z0-9_]+(?:,|$))")  # but not the one of MKL_CBWR=AVX2,STRICT
_WITHOUT_TORCH = ("numba", "numpy", "jax")

# Every library has a variable of its own for the number of its threads.
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMBA_NUM_THREADS",
)


@dataclass(frozen=True)
class Entrant:
    """What is compared: a trainer under settings."""

    name: str  # as it was typed
    trainer: str  # the name without settings
    variables: tuple[tuple[str, str], ...] = ()  # of the environment of its process
    threads: int | None = None  # None for what its libraries choose
    deterministic: bool = False  # torch.use_deterministic_algorithms

    @property
    def step_only(self) -> bool:
        """Whether it is a user's step, and none of the project's trainers of a whole iteration."""
        return self.trainer not in BUILTIN

    def environment(self, threads: int | None) -> dict[str, str]:
        """Return the environment of its process; ``threads`` is for those that set no number."""
        threads = self.threads or threads
        limits = {} if threads is None else dict.fromkeys(THREAD_VARIABLES, str(threads))
        return {**os.environ, **limits, **dict(self.variables)}


def parse_entrant(name: str) -> Entrant:
    """Read a trainer's name with or without settings.

    Settings stand in brackets, separated by commas: variables of the environment, such as
    ``MKL_CBWR=AVX2``; ``threads=N``; and ``deterministic``. Anything else is an error.
    """
    if not name.strip():
        raise SymmetryError("a trainer needs a name")
    if "[" not in name and "]" not in name:
        return Entrant(name, name)
    match = _NAME.fullmatch(name)
    if match is None:
        raise _wrong(name, "settings are written as trainer[NAME=VALUE,...], at the end")
    trainer = match["trainer"]
    variables: dict[str, str] = {}
    threads, deterministic = None, False
    for setting in map(str.strip, _COMMA.split(match["settings"])):
        written = _SETTING.fullmatch(setting)
        if setting == "deterministic":
            if trainer in _WITHOUT_TORCH:
                raise _wrong(name, "deterministic is a setting of PyTorch only")
            deterministic = True
        elif written is None:
            known = "NAME=VALUE, threads=N or deterministic"
            raise _wrong(name, f"a setting is {known}, not {setting!r}")
        elif written["name"] != "threads":
            variables[written["name"]] = written["value"]
        elif re.fullmatch(r"0*[1-9]\d{0,4}", written["value"], re.ASCII):
            threads = int(written["value"])
        else:
            raise _wrong(name, f"threads must be a number of threads, not {written['value']!r}")
    return Entrant(name, trainer, tuple(variables.items()), threads, deterministic)


def _wrong(name: str, text: str) -> SymmetryError:
    return SymmetryError(f"trainer {name!r}: {text}")


def parse_entrants(names: tuple[str, ...]) -> tuple[Entrant, ...]:
    """Read several names, which must differ."""
    for name in names:
        if names.count(name) > 1:
            raise SymmetryError(f"trainer {name!r} is named {names.count(name)} times")
    return tuple(map(parse_entrant, names))
