"""What is known of a training's units: the groups, and why the other parameter axes have none."""

import html
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from symmetry.base.errors import SymmetryError, TrainingError
from symmetry.targets.resolve import resolve
from symmetry.trainings.training import TrainingTarget
from symmetry.units.units import Part, Units
from symmetry.units.words import count

Tell = Callable[[str, int, int], None]  # what is being done, its number, and of how many


@dataclass(frozen=True)
class Uncovered:
    """Slices of a parameter that belong to no group.

    Attributes
    ----------
    array
        The parameter's name in the state.
    axis, size
        The axis, and how many of its slices are meant.
    why
        The reason: ``"input"``, ``"output"``, ``"positions"``, ``"fixed by the data"``,
        ``"no gradient"``, ``"a single slice"`` or ``"unlike the others"``.
    """

    array: str
    axis: int
    size: int
    why: str


@dataclass(frozen=True)
class Coverage:
    """The groups of equal units of a training's model, each proved, and the rest of its parameters.

    Attributes
    ----------
    model
        The name of the model's class.
    groups
        The groups.
    room
        For each group, how many units there could be: more than there are if one is odd.
    uncovered
        The slices of parameters that belong to no group.
    random
        The random operations that were seen inside modules, with the user's line.
    idle
        By the name of a group, the numbers of its units that received no gradient in the first
        steps, as those of dead ReLUs. They are equal to the others all the same.
    """

    model: str
    groups: tuple[Units, ...]
    room: tuple[int, ...]
    uncovered: tuple[Uncovered, ...]
    random: tuple[str, ...] = ()
    idle: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def lines(self) -> list[str]:
        """Return the text that ``symmetry units`` prints."""
        found = [f"{self.model}: {count(len(self.groups), 'group')} of equal units"]
        for units, room in zip(self.groups, self.room, strict=True):
            many = f"{units.count} of {room}" if room > units.count else f"{units.count}"
            idle = self.idle.get(units.name, ())
            note = f" ({len(idle)} of them without gradient)" if idle else ""
            found.append(f"  {many:>9}  {units.name}{note}")
        if self.uncovered:
            found.append("in no group")
            found += [f"  {u.size:>9}  {u.array} axis {u.axis}: {u.why}" for u in self.uncovered]
        if self.random:
            found.append("random operations, replaced by their means")
            found += [f"             {operation}" for operation in self.random]
        return found

    def to_json(self) -> str:
        """Return the text of the file that ``symmetry units --json`` writes."""
        groups = [
            {
                "name": units.name,
                "units": units.count,
                "of": room,
                "no_gradient": self.idle.get(units.name, ()),
                "parts": [_part(part) for part in units.parts],
            }
            for units, room in zip(self.groups, self.room, strict=True)
        ]
        uncovered = [vars(slices) for slices in self.uncovered]
        content = {
            "model": self.model,
            "groups": groups,
            "uncovered": uncovered,
            "random": [*self.random],
        }
        return json.dumps(content, indent=2) + "\n"

    def __repr__(self) -> str:
        return "\n".join(self.lines())

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(repr(self))}</pre>"


def find_units(
    training: str | Callable[[], Any] | TrainingTarget, *, progress: Tell | None = None
) -> Coverage:
    """Find the groups of equal units in the model of a PyTorch training.

    Parameters
    ----------
    training
        A function without parameters that returns ``(model, step)``, or its name:
        ``package.module:attribute`` or ``path/to/file.py:attribute``.
    progress
        Is told what is being done, its number, and of how many.

    Raises
    ------
    SymmetryError
        When there is no such training, it cannot be run, its step has no loss, or the loss is not
        finite: one readable line.
    """
    target = resolve(training)
    if not isinstance(target, TrainingTarget):
        raise SymmetryError(
            f"{target.name!r} is a two-layer step, expected a training: a function without "
            "parameters that returns (model, step)"
        )
    try:
        from symmetry.finding.find import find
    except ModuleNotFoundError as error:
        raise SymmetryError(
            f"a training needs torch, which cannot be imported: {error} "
            "(pip install 'unit-symmetry[torch]')"
        ) from error
    try:
        return find(target, progress or (lambda *_: None))
    except TrainingError as error:
        message = str(error)
        named = message if message.startswith(target.name) else f"{target.name}: {message}"
        raise SymmetryError(named) from error


def _part(part: Part) -> dict[str, object]:
    """Return what JSON has of a part: ``arrays`` only where each unit is an array of its own."""
    return {name: value for name, value in vars(part).items() if name != "arrays" or value}
