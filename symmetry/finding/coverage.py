"""The coverage of a training: its groups of units, and the reasons for all other parameter axes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from symmetry.observe.source_line import NOWHERE, SourceLine
from symmetry.units.units import Units
from symmetry.units.words import in_short, layer_name

# Why an operation does not treat units equally: a constant holds a different number for each; a
# reshape ties entries of different units; the operation takes units one by one.
Cause = Literal["constant", "reshape", "place"]
_CONSTANTS = {
    "mul": "multiplies each by a number of its own",
    "add": "adds a number of its own to each",
}
# Reasons that lie in the data, as for the tokens of a vocabulary: nothing is wrong with the step.
# A label or a feature is no other one, and a single slice has no other one.
_INTERFACE = {"input", "output", "a single slice"}
_BY_DATA = {"input", "output", "positions", "fixed by the data"}

Tell = Callable[[str, int, int], None]  # takes a stage of the work, its number, and their number


@dataclass(frozen=True)
class Uncovered:
    """Slices of a parameter that belong to no group."""

    array: str  # the parameter's name in the state
    # The axis, and the number of its slices that have this reason.
    axis: int
    size: int
    # The reason: ``"input"``, ``"output"``, ``"positions"``, ``"fixed by the data"``, ``"no
    # gradient"``, ``"a single slice"``, ``"a constant for each"``, ``"tied by a reshape"``,
    # ``"taken one by one"`` or ``"unlike the others"``.
    why: str


@dataclass(frozen=True)
class Unequal:
    """A layer whose units are not all equal, since an operation does not treat them equally."""

    module: str  # its path in the model
    units: int  # the number of its units
    equal: int  # the number of equal ones: the size of the largest group, or 0
    cause: Cause  # why the operation does not treat them equally
    operation: str  # its name, as in ``aten.mul``
    place: SourceLine  # the line that calls it

    @property
    def does(self) -> str:
        """The effect of the operation on the units, without its line."""
        name = self.operation.rpartition(".")[2].strip("_")
        if self.cause == "constant":
            return _CONSTANTS.get(name, f"has a number of its own for each ({name})")
        ties = self.cause == "reshape"
        return f"{'ties entries of different units' if ties else 'takes them one by one'} ({name})"

    @property
    def why(self) -> str:
        """The line that makes the units unequal, and its effect."""
        return f"{self.place} {self.does}".strip()


@dataclass(frozen=True)
class Dead:
    """A layer all of whose units are 0 for every sample of the first steps, such as dead ReLUs."""

    module: str  # its path in the model
    units: int  # the number of its units
    operation: str  # the operation that returns the zeros, as in ``aten.relu``
    place: SourceLine  # the line that calls it
    # The paths of the modules that receive no gradient, since their results pass here alone.
    silent: tuple[str, ...]

    @property
    def text(self) -> str:
        """The layer, the cause, its line and the consequence."""
        name = self.operation.rpartition(".")[2].strip("_")
        cause = "dead ReLU" if "relu" in name else name
        at = f", {self.place}" if str(self.place) else ""
        return (
            f"{layer_name(self.module)}: all {self.units} units are 0 for every sample of the "
            f"first steps ({cause}{at}), so no gradient reaches "
            f"{in_short([*map(layer_name, self.silent)])}"
        )


@dataclass(frozen=True)
class Coverage:
    """The groups of equal units of a model, each proved, and the rest of its parameters.

    Attributes
    ----------
    model
        The name of the model's class.
    groups
        The groups.
    capacity
        For each group, how many units could have room: more than it has if one is odd.
    uncovered
        The slices of parameters that belong to no group.
    random
        The random operations inside modules, with the user's line.
    no_gradient
        By the name of a group, the numbers of its units that received no gradient in the first
        steps, such as dead ReLUs. They still belong to the group.
    without_units
        The layers whose units are not all equal.
    without_gradient
        The paths of the modules that receive no gradient.
    dead
        The layers whose units are all 0: no gradient passes them.
    parameters
        The number of trained numbers.
    stops
        The user's line of the operation that does not treat the slices of an axis equally.
    """

    model: str
    groups: tuple[Units, ...]
    capacity: tuple[int, ...]
    uncovered: tuple[Uncovered, ...]
    random: tuple[str, ...] = ()
    no_gradient: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    without_units: tuple[Unequal, ...] = ()
    without_gradient: tuple[str, ...] = ()
    dead: tuple[Dead, ...] = ()
    parameters: int = 0
    stops: Mapping[tuple[str, int], SourceLine] = field(default_factory=dict)

    @property
    def has_hidden_axes(self) -> bool:
        """Whether an axis could have units: a linear model has inputs and outputs alone.

        Some of its inputs may always be zero, and get no gradient.
        """
        known = {(each.array, each.axis) for each in self.uncovered if each.why in _INTERFACE}
        hidden = any((each.array, each.axis) not in known for each in self.uncovered)
        return bool(self.groups or self.dead or hidden or not known)

    def stop_of(self, units: Units) -> SourceLine:
        """Return the user's line of the operation that leaves others out of a group, if any."""
        places = (self.stops.get((part.array, part.axis), NOWHERE) for part in units.parts)
        return next((place for place in places if place.file), NOWHERE)

    @property
    def incomplete(self) -> list[tuple[Units, int]]:
        """The groups that lack units, with their capacity, unless only the data differ."""
        odd = {(each.array, each.axis) for each in self.uncovered if each.why not in _BY_DATA}
        return [
            (units, capacity)
            for units, capacity in zip(self.groups, self.capacity, strict=True)
            if capacity > units.count
            and not odd.isdisjoint((part.array, part.axis) for part in units.parts)
        ]


def capacity(units: Units, groups: Sequence[Units], shapes: Mapping[str, tuple[int, ...]]) -> int:
    """Return how many units there could be in the slices that lie in no other group."""
    free = []
    for part in (part for part in units.parts if not part.arrays):
        own = part.places(units.count).ravel().tolist()
        taken = places_of(groups, part.array, part.axis).difference(own)
        free.append((shapes[part.array][part.axis] - len(taken)) // part.block)
    return max(units.count, min(free, default=0))


def places_of(groups: Sequence[Units], array: str, axis: int) -> set[int]:
    """Return the slices of an array, along an axis, that lie in groups."""
    return {place for units in groups for place in units.along(array, axis)}
