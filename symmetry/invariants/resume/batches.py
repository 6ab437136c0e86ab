"""``resume/batches``: a resumed script goes on with the batch that comes next.

Example: ``start = checkpoint["epoch"] + 1`` for a checkpoint in the middle of an epoch, so that the
rest of that epoch is never read. Save the place within the epoch, and skip what was read.

The batches that updates read are compared with those of the run without an interruption, from
where the script was saved: or the rows that they are made of, to which noise may be added. It is
violated if batches are left out, or updates are missing at the end, and if batches come once more
although the script, or the library that it trains with, saves its place in the data. Without that,
batches that come once more, and another order, are notes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from symmetry.invariants.loop.judgement import Judgement
from symmetry.invariants.resume.resumed import place_of, resume_invariant, save_of
from symmetry.law.invariant import Statement
from symmetry.law.note import NoteKind
from symmetry.observe.source_line import SourceLine
from symmetry.training.events import Saved
from symmetry.training.resumed_runs import Read, ResumedRuns, Resumption, Sample
from symmetry.units.words import count

ORDER = NoteKind(
    "resume/order",
    meaning="A resumed run reads its samples in another order than the run without an "
    "interruption. If the orders of the epochs are to go on, seed each epoch with its number, or "
    "save the states of the sampler and of the random generators.",
)
LENGTH = NoteKind(
    "resume/length",
    meaning="A resumed run does not end after as many updates as the run without an interruption.",
)
_COMPARED = 4  # batches by which a place in the data is found
_PLACES = ("loader", "sampler", "dataset_state", "data_state")  # keys of a place in the data


def batches(runs: ResumedRuns, judgement: Judgement) -> None:
    """Find the batches of each resumed run among those of the run before."""
    for resumption in runs.resumptions:
        if resumption.position is None:
            judgement.why = judgement.why or "its parameters are not those of a save"
        elif not resumption.before.epochs.without_seed:  # else each start has its own order
            _Comparison(runs, resumption, resumption.position, judgement).judge()


INVARIANT = resume_invariant(
    Statement(
        name="resume/batches",
        statement="a resumed script goes on with the batch that comes next",
        reason="an interruption is no part of a training",
        witness="a save that the script was resumed from",
        cause="the resumed run begins at another epoch or batch than the saved one ended with",
        cure="Save the number of the next batch, and skip those before it.",
        targets="scripts that save, with --resume-with",
        failure="goes another way once it is resumed",
        notes=(ORDER, LENGTH),
    ),
    batches,
)


class _Comparison:
    """The batches of a resumed run, and of the run before from the same place on."""

    def __init__(
        self, runs: ResumedRuns, resumption: Resumption, position: int, judgement: Judgement
    ) -> None:
        self._runs, self._resumption, self._judgement = runs, resumption, judgement
        self._updates = resumption.earlier + position  # of the training, before it goes on
        self._all, self._place = _samples(resumption.reads), resumption.place
        self._mine = _samples(resumption.after.reads)

    def judge(self) -> None:
        """Judge where it goes on, and where it ends."""
        rest = self._all[self._place :]
        number = min(len(rest), len(self._mine))
        first = next((n for n in range(number) if rest[n] != self._mine[n]), None)
        if first == 0 and self._have_rows():
            self._judge_rows()
        elif first is None:
            self._judge_end()
        elif first:
            self._note(f"it reads other batches from the batch {first + 1} on")
        else:
            self._judge_place()

    def _have_rows(self) -> bool:
        """Return whether it is known which rows were read for each batch, and they differ."""
        reads = [*self._resumption.reads, *self._resumption.after.reads]
        return all(r.rows for r in reads) and len({r.rows for r in reads}) > 1

    def _judge_rows(self) -> None:
        """Judge which rows are read, whatever is added to them."""
        self._all = _rows(self._resumption.reads)
        self._mine = _rows(self._resumption.after.reads)
        if self._agrees_at(self._place):
            self._note("it reads the same rows with other noise")
        else:
            self._judge_place()

    def _judge_place(self) -> None:
        """Judge a run whose first batch is not the one that comes next."""
        places = [n for n in range(len(self._all)) if self._agrees_at(n)]
        earlier = [n for n in places if n < self._place]
        if not earlier and not any(map(self._ends_as_from, places)):
            self._note(self._other_order)
        elif not earlier:
            self._accuse(f"it leaves out batches: it goes on with {self._batch(places[0])}.")
        elif promise := self._promise():
            self._accuse(f"it goes back to {self._batch(earlier[-1])}, though {promise}.")
        elif 0 in earlier:
            self._note("it reads the batches once more with which the training began")
        else:
            self._note(f"it goes back to {self._batch(earlier[-1])}")

    def _batch(self, place: int) -> str:
        """Name a batch by the update of the training that read it."""
        reader = self._resumption.reads[place].update + 1
        return f"the batch of update {reader} instead of update {self._updates + 1}"

    def _agrees_at(self, place: int) -> bool:
        number = min(_COMPARED, len(self._mine), len(self._all) - place)
        return self._all[place : place + number] == self._mine[:number]

    def _ends_as_from(self, place: int) -> bool:
        """Return whether it reads all that the run before reads from a place on, and no more.

        Otherwise the order of a later epoch may be drawn for this one.
        """
        return self._are_whole() and self._all[place:] == self._mine

    def _are_whole(self) -> bool:
        return self._resumption.before.epochs.is_whole and self._resumption.after.epochs.is_whole

    def _judge_end(self) -> None:
        """Judge how many updates there are in all, where the batches are the same."""
        before, after = self._resumption.before, self._resumption.after
        whole = self._resumption.earlier + len(before.updates)
        mine = self._updates + len(after.updates)
        if not self._are_whole() or mine == whole:
            return
        text = f"it ends after {count(mine, 'update')} in all instead of {whole}"
        if mine < whole and self._runs.same_arguments:
            self._accuse(f"{text}: batches are left out at its end.")
        else:
            self._judgement.note(LENGTH, f"{place_of(self._resumption)} {text}", self._at)

    def _promise(self) -> str:
        """Return why the place in the data should be the one that was saved; empty if unknown."""
        keys = [
            key
            for event in self._resumption.before.epochs.events
            if isinstance(event, Saved)
            for key in event.keys
            if any(word in key.lower() for word in _PLACES)
        ]
        events = self._resumption.before.epochs.events
        keys = keys or [*places_in_epochs([e for e in events if isinstance(e, Saved)])]
        if keys:
            return f"{keys[0]!r} is saved"
        if self._went_on():
            return "it went on with the right batch the first time"
        return self._resumption.after.promise

    def _went_on(self) -> bool:
        """Return whether the run before was resumed, and found its place inside a later epoch.

        The order of the first epoch is the right one, too, if each start draws its orders anew.
        """
        first = self._resumption.first
        if first is None or first.position is None or not first.before.is_inside(first.position):
            return False
        rest = _samples(first.before.reads)[first.before.reads_before(first.position) :]
        return rest[:_COMPARED] == _samples(first.after.reads)[:_COMPARED]

    @property
    def _other_order(self) -> str:
        """Say how its batches differ: only their digests may be known, and these have noise."""
        unknown = any(isinstance(sample, str) for read in self._mine for sample in read)
        if unknown and not self._have_rows():
            return "it reads other batches: in another order, or with other noise"
        return "it reads its samples in another order"

    @property
    def _at(self) -> SourceLine:
        return save_of(self._resumption)

    def _accuse(self, text: str) -> None:
        self._judgement.accuse(f"{place_of(self._resumption)}: {text}", self._at)

    def _note(self, text: str) -> None:
        if not self._judgement.notes:  # the second time it is so for the same reason
            self._judgement.note(ORDER, f"{place_of(self._resumption)} {text}", self._at)


def places_in_epochs(saves: Sequence[Saved]) -> Iterator[str]:
    """Yield the names of numbers that are a place in an epoch, whatever they are called.

    Between two saves in an epoch such a number grows by the updates between them, and in a later
    epoch it is less than all updates so far: else it counts these.
    """
    pairs = [*pairwise(saves)]
    for name in saves[0].numbers if saves else ():
        both = [p for p in pairs if name in p[0].numbers and name in p[1].numbers]
        steps = [(b.numbers[name] - a.numbers[name], b.update - a.update) for a, b in both]
        counts = [number == updates for number, updates in steps if number > 0]
        begins_anew = any(number <= 0 for number, _ in steps)
        if len(counts) > 1 and all(counts) and begins_anew:
            yield name


def _samples(reads: Sequence[Read]) -> list[tuple[Sample, ...]]:
    return [read.samples for read in reads]


def _rows(reads: Sequence[Read]) -> list[tuple[Sample, ...]]:
    return [read.rows for read in reads]
