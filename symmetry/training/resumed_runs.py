"""Runs of a script that is interrupted and resumed, and its run without an interruption.

    whole      batch 1 ... batch 12 | batch 13 ... batch 24     its files are copied behind a save
    resumed                           batch 13 ... batch 24     begins with these files
    again                                  batch 17 ... 24      begins with files of the resumed run

``|`` is where a script is killed: before its first forward behind a save.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from symmetry.observe.source_line import SourceLine
from symmetry.training.events import Batch, Called, Epochs, Saved, States, Updated

_LEFT = 4  # updates, behind a late save
_MOST_SAVES = 5  # that a script is resumed from: each is a run

Digests = Mapping[str, str]  # by name
Sample = int | str  # an index of a data set, or a digest of what a model was called with


@dataclass(frozen=True, kw_only=True)
class Average:
    """Tensors of the shapes of trained parameters, which may follow these."""

    name: str  # of the class of the module, or "a dictionary of tensors"
    number: int  # of the object that holds them, in its run
    tensors: tuple[str, ...]  # their digests
    follows: bool  # whether it is known to follow the parameters


@dataclass(frozen=True)
class Read:
    """A batch that an update is computed from."""

    event: int  # the number of the first call that is given it
    update: int  # how many updates came before
    samples: tuple[Sample, ...]
    iterator: int = field(default=0, compare=False)  # of its loader
    rows: tuple[str, ...] = field(default=(), compare=False)  # digests, before noise was added


@dataclass(frozen=True, kw_only=True)
class HeldState:
    """The state of a script before its first training forward behind an update."""

    event: int  # how many events came before
    parameters: Digests  # of modules that are trained, in part at least
    trained: frozenset[str]  # the names of those that optimisers hold
    optimizers: Digests  # their state: "exp_avg of Net.fc.weight (AdamW)"
    buffers: Digests  # of these modules
    random: States  # of generators and keys, by their names in words
    # These are only looked for behind a save, and at the first two forwards of a run.
    scales: tuple[str, ...] = ()  # of scalers of losses
    averages: tuple[Average, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ObservedRun:
    """A run of a script over epochs as they are, and what it held."""

    epochs: Epochs
    held: Mapping[int, HeldState]  # by the number of updates before
    saves: tuple[int, ...]  # how many updates came before each save that a forward followed
    # Why the place in the data is restored, if its libraries do that; else empty.
    promise: str = ""
    follows_scores: bool = False  # whether a schedule looks at losses or scores
    by_name: bool = False  # whether a thing has the same name in all runs
    # The names of the rates of updates, where a step is given them as arguments.
    arguments: tuple[str, ...] = ()
    losses: Mapping[int, float] = field(default_factory=dict)  # of updates, if no backward has one

    @cached_property
    def updates(self) -> tuple[Updated, ...]:
        """The updates, in their order."""
        return tuple(event for event in self.epochs.events if isinstance(event, Updated))

    @property
    def saves_at_its_end(self) -> bool:
        """Whether it saves, if only behind its last update."""
        return any(event.update for event in self.epochs.of(Saved))

    @cached_property
    def reads(self) -> tuple[Read, ...]:
        """The batches that its updates are computed from: of loaders, or else inputs of models."""
        calls = [
            (number, event)
            for number, event in enumerate(self.epochs.events)
            if isinstance(event, Called) and event.gradient
        ]
        return self._batches_of(calls) or tuple(
            Read(number, event.update, (event.digest,), rows=event.rows) for number, event in calls
        )

    def _batches_of(self, calls: list[tuple[int, Called]]) -> tuple[Read, ...]:
        loaders, events = self.epochs.training_loaders, self.epochs.events
        found: dict[int, Read] = {}  # by the event of the batch, which several calls may be given
        for number, call in calls:
            batch = None if call.batch is None else events[call.batch]
            if isinstance(batch, Batch) and batch.loader in loaders and call.batch is not None:
                samples = (batch.digest,) if batch.order is None else batch.order
                found.setdefault(
                    call.batch, Read(number, call.update, samples, iterator=batch.iterator)
                )
        return tuple(found.values())

    def reads_before(self, updates: int) -> int:
        """Return how many reads came before the forward behind this number of updates."""
        return sum(read.event < self.held[updates].event for read in self.reads)

    def is_in_first_epoch(self, updates: int) -> bool:
        """Return whether all updates so far, and the next one, read the first epoch."""
        reads = self.reads[: self.reads_before(updates) + 1]
        return len({read.iterator for read in reads}) < 2

    def ends_an_epoch(self, updates: int) -> bool:
        """Return whether the next update begins an epoch, behind this number of updates."""
        number = self.reads_before(updates)
        around = self.reads[max(number - 1, 0) : number + 1]
        return len({read.iterator for read in around}) == 2

    def is_inside(self, updates: int) -> bool:
        """Return whether the next update is inside of an epoch, and that is not the first one."""
        return not self.ends_an_epoch(updates) and not self.is_in_first_epoch(updates)

    def usable_saves(self, copied: Collection[int]) -> list[int]:
        """Return the saves with copies that updates follow."""
        return [s for s in dict.fromkeys(self.saves) if s in copied and s < len(self.updates)]

    def saves_to_resume(self, copied: Collection[int]) -> tuple[int, ...]:
        """Return the saves with copies, those first that show most: inside of a later epoch.

        In the first epoch a wrong order of samples may hold by luck. Where epochs are not known,
        a late save and the first one come first.
        """
        usable = self.usable_saves(copied)
        ends = [s for s in usable if self.ends_an_epoch(s)]
        inside = [s for s in usable if self.is_inside(s)]
        late = [s for s in usable if len(self.updates) - s >= _LEFT]
        first = inside[:1] + ends[:1] or late[-1:] + usable[:1]
        return tuple(dict.fromkeys(first + usable))[:_MOST_SAVES]


@dataclass(frozen=True, kw_only=True)
class Resumption:
    """A run that goes on from the files of another one."""

    before: ObservedRun  # the run that has written the files
    saved: int  # how many updates that run had made
    after: ObservedRun
    first: Resumption | None = None  # how the run before began, if it was resumed itself

    @property
    def again(self) -> bool:
        """Whether the run before was resumed itself."""
        return self.first is not None

    @property
    def earlier(self) -> int:
        """How many updates of the training came before the first one of the run before."""
        return 0 if self.first is None else self.first.position or 0

    @cached_property
    def reads(self) -> tuple[Read, ...]:
        """The batches up to the end of the run before, by the updates of the whole training."""
        if self.first is None:
            return self.before.reads
        whole, mine = self.first.before, self.before.reads
        return (
            *whole.reads[: whole.reads_before(self.earlier)],
            *(replace(read, update=read.update + self.earlier) for read in mine),
        )

    @property
    def place(self) -> int:
        """How many of ``reads`` came before the save that it goes on from."""
        number = 0 if self.position is None else self.before.reads_before(self.position)
        return len(self.reads) - len(self.before.reads) + number

    @cached_property
    def moved(self) -> frozenset[str]:
        """The parameters that the run before had changed when it was saved."""
        first, then = self.before.held[0].parameters, self.before.held[self.saved].parameters
        return frozenset(name for name in first if then.get(name) != first[name])

    @cached_property
    def position(self) -> int | None:
        """After how many updates the resumed run goes on, by its parameters; None if unknown."""
        return next((each for each in self._saves if self._restored(each) == self.moved), None)

    @property
    def partly_from(self) -> int | None:
        """The save of which it has restored some parameters, but not all; None without such."""
        return next((each for each in self._saves if self._restored(each)), None)

    @property
    def restores_nothing(self) -> bool:
        """Whether it begins with the parameters that the run before began with."""
        first = self.before.held[0].parameters
        return self.partly_from is None and all(first[name] in self._mine for name in self.moved)

    @property
    def average(self) -> Average | None:
        """The average whose numbers the parameters are that it begins with, if they are any's."""
        averages = self.before.held[self.saved].averages
        return next((each for each in averages if self._mine <= {*each.tensors}), None)

    @property
    def _saves(self) -> list[int]:
        """The saves that it may go on from, the last one first."""
        return [s for s in sorted({*self.before.saves}, reverse=True) if s <= self.saved]

    def _restored(self, saved: int) -> frozenset[str]:
        held = self.before.held[saved].parameters
        return frozenset(name for name in self.moved if held[name] in self._mine)

    @property
    def _mine(self) -> frozenset[str]:
        """Digests of the parameters that it begins with; empty if it does not train.

        They are compared without names: a model that was made, and not used, may have these.
        """
        return frozenset(self.after.held[0].parameters.values() if self.after.held else ())


@dataclass(frozen=True, kw_only=True)
class HalfWritten:
    """A file that a kill leaves half written, where the file of the save before was."""

    at: SourceLine  # of the save
    file: str  # its name
    failure: str  # of the run that is resumed from it: "it fails: ..."


@dataclass(frozen=True, kw_only=True)
class ResumedRuns:
    """The runs of a script that is interrupted and resumed."""

    resumptions: tuple[Resumption, ...]
    half_written: HalfWritten | None = None  # if it cannot be resumed from one
    # Whether the resumed runs have all arguments of the whole run: else they may be meant to go on
    # for longer, or otherwise.
    same_arguments: bool
