"""Changes of batches that must not matter: ``Reordering``, ``Accumulating`` and ``Padding``.

``Thinning`` leaves samples out, for whatever does not depend on their number.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

from symmetry.training.capabilities.capability import Capability
from symmetry.units.state import Array
from symmetry.units.units import Order


class Doubt(NamedTuple):
    """Why it is not certain that the rows of a batch are samples, which may be rearranged."""

    why: str = ""  # empty if it is certain
    # "order": rows in the order of the data may be steps of time. "item": so may those of one item
    # of the data set, or objects that are compared. "other": rows may have partners, say.
    about: Literal["order", "item", "other"] = "other"

    def __bool__(self) -> bool:
        """Return whether there is a doubt."""
        return bool(self.why)


class Reordering(Capability):
    """Lets what steps draw for each sample follow a new order of the samples."""

    absent = "its random numbers for samples cannot be put in another order"

    @property
    def doubt(self) -> Doubt:
        """Why it is not certain that samples may be rearranged; empty if it is."""
        return Doubt()

    @abstractmethod
    def follow_samples(self, count: int) -> Mapping[str, bool]:
        """Reorder the steps' draws for each of ``count`` samples as the samples are.

        The steps that follow fill the mapping that is returned, by the user's line: whether all
        draws there for samples are put in their order.
        """

    def results(self) -> Sequence[Array] | None:
        """Return all results of the next step, beside the state as well; None if they are unknown.

        So they are if the step draws random numbers: these may choose its samples.
        """
        return None


Kind = tuple[int, Hashable]  # how large a sample is, and all that may count as its size


@dataclass(frozen=True)
class Window:
    """The samples of some micro-batches of one update."""

    loader: int  # the number of the loader that they come from
    batches: tuple[tuple[Any, ...], ...]  # the samples of each, as many in all
    kinds: tuple[tuple[Kind, ...], ...]  # the kind of each sample, in the same order

    @property
    def size(self) -> int:
        """How many samples each has."""
        return len(self.batches[0])

    def rearranged(self, order: Order) -> Window:
        """Return micro-batches of the samples with these numbers, counted through."""
        return replace(self, batches=_in(order, self.batches), kinds=_in(order, self.kinds))


def _in(order: Order, rows: tuple[tuple[Any, ...], ...]) -> tuple[tuple[Any, ...], ...]:
    size, entries = len(rows[0]), [entry for row in rows for entry in row]
    return tuple(
        tuple(entries[k] for k in order[begin : begin + size])
        for begin in range(0, len(order), size)
    )


@dataclass(frozen=True)
class FewSamples:
    """A few samples of each batch, for whatever does not depend on their number."""

    count: int  # how many, as long as each label occurs

    def places(self, samples: int, labels: Sequence[Hashable] = ()) -> list[int]:
        """Return the places of the samples to be kept: spread evenly, and one of each label.

        All are kept if that would be more than half of them.
        """
        spread = range(0, samples, max(samples // self.count, 1))
        one_of_each = {label: k for k, label in enumerate(labels)}
        for k in spread if labels else ():
            one_of_each[labels[k]] = k
        kept = sorted({*spread, *one_of_each.values()})
        return kept if 2 * len(kept) <= samples else [*range(samples)]


Arrangement = Order | Window | FewSamples


class Thinning(Capability):
    """Leaves samples out of the batches."""

    @property
    @abstractmethod
    def thinned(self) -> bool:
        """Whether a batch has lost samples so far."""


class Accumulating(Capability):
    """Sees the micro-batches of the first update, whose gradients are accumulated."""

    absent = "no update is known to take several batches of one DataLoader"

    @property
    @abstractmethod
    def window(self) -> Window | None:
        """Their samples, once the update is done; None if there is one batch, or none is known."""


class Padding(Capability):
    """Replaces the tokens that attention masks hide: in batches, or in the calls of modules."""

    absent = "its batches are not seen"

    @abstractmethod
    def why_nothing_hidden(self, steps: int) -> str:
        """Say why no hidden token can be replaced in the first steps; "" if one may be.

        No step is taken. After steps that should replace hidden tokens: why none was.
        """

    @abstractmethod
    def replace_hidden(self, *, look: bool = False) -> Mapping[str, bool]:
        """Hide other tokens in the steps that follow.

        With ``look`` these steps fill the mapping that is returned: how a model may recognise
        hidden tokens without the mask, and whether that is legitimate.
        """
