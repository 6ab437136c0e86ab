"""The trials that were made: an interrupted search goes on with them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import distributions
from pathlib import Path

from symmetry.base.files import write_all
from symmetry.base.folders import cache_folder
from tests.studies.bisection.trial import Trial


def default_folder() -> Path:
    """Return where environments and trials are kept."""
    return cache_folder() / "bisect"


class Memory:
    """The trials of one command in one folder.

    They are forgotten if a file that the command names changes, or a library of this environment.

    Parameters
    ----------
    folder
        Where they are kept.
    package, words, more
        The library, the words of the command, and further requirements.
    """

    def __init__(
        self, folder: Path, package: str, words: Sequence[str], more: Sequence[str]
    ) -> None:
        texts = [path.read_bytes() for path in map(_named, words) if path.is_file()]
        said = (_libraries(), str(Path.cwd()), package, [*words], sorted(more), texts)
        key = hashlib.sha256(repr(said).encode()).hexdigest()[:12]
        self._file = folder / f"{package}-{key}.json"
        self.trials: dict[str, Trial] = {}
        if self._file.exists():
            kept = json.loads(self._file.read_text())
            self.trials = {
                each["release"]: Trial(**{**each, "broken": tuple(each["broken"])}) for each in kept
            }

    def add(self, trial: Trial) -> None:
        """Keep a trial, unless it judged nothing: the reason may have gone at the next time."""
        if trial.verdict is not None:
            self.trials[trial.release] = trial
            write_all({self._file: json.dumps([asdict(t) for t in self.trials.values()])})


def _libraries() -> list[str]:
    """Return the libraries that are here, with their versions: each environment finds them."""
    return sorted(f"{each.name} {each.version}" for each in distributions())


def _named(word: str) -> Path:
    """Return the file of a target: ``train.py``, ``"train.py --epochs 1"`` or ``train.py:step``."""
    return Path(word.partition(" ")[0].partition(":")[0])
