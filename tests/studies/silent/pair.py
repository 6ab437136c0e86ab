"""A broken script, and the sound twin that it becomes when some of its lines are mended."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_STUDY = Path(__file__).parent
_ZOO = _STUDY.parents[1] / "faulty" / "scripts"
_FOLDERS = _STUDY / "scripts", _ZOO, _ZOO / "loop"


@dataclass(frozen=True)
class Batch:
    """The expressions that a user gives to tools that take a model and a batch, not a script.

    They are evaluated where the script makes its first update.
    """

    inputs: str = "x"
    targets: str = "y"
    loss: str = "nn.functional.cross_entropy"  # a function of outputs and targets
    model: str = "model"
    optimizer: str = "optimizer"
    classes: str = ""  # their number, if it classifies
    words: str = ""  # their number, if it is a language model
    twin_loss: str = ""  # the loss of the twin, if it is another one


@dataclass(frozen=True)
class Pair:
    """A silent bug."""

    name: str  # of its file
    family: str
    wrong: str
    mends: tuple[tuple[str, str], ...]  # each replaces a text that stands in the script once
    source: str = ""  # where such a bug was published; empty for our own
    batch: Batch | None = None
    options: tuple[str, ...] = ()  # which symmetry needs for this one, as "--ranks 2"
    traincheck: str = ""  # which reproduced bugs of TrainCheck's evaluation it stands for
    unseen: str = ""  # why symmetry cannot see it, if it does not

    @property
    def file(self) -> Path:
        """The broken script."""
        [file] = [at for folder in _FOLDERS if (at := folder / f"{self.name}.py").exists()]
        return file

    @property
    def broken(self) -> str:
        return self.file.read_text("utf-8")

    @property
    def twin(self) -> str:
        """The text of the sound script.

        Raises
        ------
        ValueError
            If a text that is to be replaced does not stand there once.
        """
        text = self.broken
        for old, new in self.mends:
            if text.count(old) != 1:
                raise ValueError(f"{self.name}: {old!r} stands there {text.count(old)} times")
            text = text.replace(old, new)
        return text

    def expressions(self, *, of_twin: bool) -> Batch | None:
        """Return the expressions for the broken script or its twin: mends apply to them, too."""
        if self.batch is None or not of_twin:
            return self.batch
        values = {**vars(self.batch)}
        for name, text in values.items():
            for old, new in self.mends:
                text = text.replace(old, new)
            values[name] = text
        return Batch(**{**values, "loss": self.batch.twin_loss or values["loss"]})
