"""``loop/batches``: updates learn from other batches, orders and random numbers than those before.

Batches are compared by their bytes, orders by the indices that a sampler gives, random numbers by
the states of the generators. Two trainings one after the other may well begin with the same ones:
only updates of one optimiser are compared.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from symmetry.invariants.loop.judgement import Judgement, loop_invariant
from symmetry.law.invariant import Statement
from symmetry.law.note import NoteKind
from symmetry.observe.source_line import SourceLine
from symmetry.training.events import (
    Backward,
    Batch,
    Called,
    Epochs,
    Loader,
    LoopEvent,
    Measured,
    Seeded,
    States,
    Updated,
)

SHUFFLE = NoteKind(
    "loop/shuffle",
    meaning="A loader does not shuffle, and its data is sorted: whole batches have one label. Pass "
    "shuffle=True.",
)
ORDER = NoteKind(
    "loop/order",
    meaning="A loader of a whole data set gives the batches of each epoch in the same order: it "
    "does not shuffle. Pass shuffle=True, unless the order has a meaning.",
    unless=("loop/shuffle",),
)
SAME_ROWS = NoteKind(
    "loop/same-rows",
    meaning="Every update is given the same rows of a tensor, and nothing reads the others. The "
    "index of the loop may be missing: x[i : i + size] instead of x[:size].",
)
ONE_NOISE = NoteKind(
    "loop/one-noise",
    meaning="Noise is drawn once for a batch, and meets results of the model for each sample. Draw "
    "it in their shape.",
)
_FEW = 4  # batches that are equal
_MOST = 0.5  # of a tensor: more may be the training part of it
_ORDER = 8  # samples that are in the same order


def batches(epochs: Epochs) -> Judgement:
    """Judge the batches, their order, and the random numbers of updates."""
    judgement = Judgement()
    training = [loader for loader in epochs.loaders if loader.number in epochs.training_loaders]
    judgement.applies = bool(training) or bool(epochs.of(Seeded))
    judgement.why = "" if judgement.applies else "it has no DataLoader, and seeds nothing"
    _judge_micro_batches(epochs, judgement)
    _note_same_rows(epochs, judgement)
    _note_noise(epochs, judgement)
    for loader in training:
        _judge_first_batches(epochs, loader, judgement)
        _judge_samples(epochs, loader, judgement)
        _note_classes(loader, judgement)
    _judge_seeds(epochs, judgement)
    _judge_keys(epochs, judgement)
    _judge_orders(epochs, training, judgement)
    _note_orders(epochs, training, judgement)
    return judgement


INVARIANT = loop_invariant(
    Statement(
        name="loop/batches",
        statement="updates see other batches, orders and random numbers than those before",
        reason="nothing is learnt from the same ones again, and seeds are set once",
        witness="a DataLoader, or a seed",
        cause="a seed, an iterator or an epoch is set at the wrong place of the loop",
        cure="Seed once before the loop, and make one iterator for each epoch.",
        notes=(SHUFFLE, ORDER, SAME_ROWS, ONE_NOISE),
    ),
    batches,
)


def _judge_micro_batches(epochs: Epochs, judgement: Judgement) -> None:
    """Accuse updates that add up the same gradients several times.

    Nothing is drawn between them: what the model returns and each loss are the same numbers.
    """
    windows = [*_passes_of_updates(epochs)]
    several = [window for window in windows if len(window) > 1]
    same = [window for window in several if len({*window}) == 1 and window[0].is_known]
    if len(same) < _FEW - 1 or len(same) < len(several) or len({w[0].digests for w in same}) == 1:
        return
    number, at = len(same[0]), same[0][0].at
    judgement.applies = True
    judgement.accuse(
        f"each update adds up {number} backwards of one batch: their losses and gradients are the "
        f"same, as of one backward times {number}. Take another batch for each of them.",
        at,
    )


@dataclass(frozen=True)
class _Pass:
    """A backward with the calls before it: equal ones leave equal gradients."""

    at: SourceLine  # of the backward
    digests: tuple[str, ...]  # of the arguments of the calls
    values: tuple[tuple[float, ...], ...]  # of outputs and losses
    dropouts: bool

    @property
    def is_known(self) -> bool:
        """Whether equal ones have seen the same batch, and drawn nothing."""
        return bool(self.digests) and all(self.digests) and not self.dropouts


def _passes_of_updates(epochs: Epochs) -> Iterator[list[_Pass]]:
    """Yield the passes that lead to each update."""
    passes, calls, values = list[_Pass](), list[Called](), list[tuple[float, ...]]()
    backward: Backward | None = None
    for event in epochs.events:
        if isinstance(event, Called) and event.gradient:
            calls.append(event)
        elif isinstance(event, Backward):
            backward = event
        elif isinstance(event, Measured) and event.phase != "update":
            values.append(event.values)
            if backward is not None:  # it is the loss of that
                digests = tuple(call.digest for call in calls)
                dropouts = any(call.dropouts for call in calls)
                passes.append(_Pass(backward.at, digests, tuple(values), dropouts))
                backward, calls, values = None, [], []
        elif isinstance(event, Updated):
            yield passes
            passes, calls, values = [], [], []


def _note_same_rows(epochs: Epochs, judgement: Judgement) -> None:
    """Note updates that are all given the same rows, where others are never read."""
    calls = {each.call: epochs.events[each.call] for each in epochs.rows}
    updates = {call.update for call in calls.values()}
    digests = {call.digest for call in calls.values() if isinstance(call, Called)}
    places = {(each.place, each.share) for each in epochs.rows}
    alike = len(places) == len(digests) == 1 and digests != {""}
    alone = all(each.anew and not each.others_are_read for each in epochs.rows)
    if len(updates) < _FEW or not (alike and alone) or (first := epochs.rows[0]).share > _MOST:
        return
    judgement.applies = True
    judgement.note(
        SAME_ROWS,
        f"all {len(updates)} updates that were seen are given the same rows of a tensor, "
        f"{first.share:.0%} of it, and nothing reads the others: is the index of the loop missing?",
        calls[first.call].at,
    )


def _note_noise(epochs: Epochs, judgement: Judgement) -> None:
    """Note noise that all samples of a batch share, in several updates."""
    for each in epochs.noise:
        if each.times >= _FEW:
            shape, meets = (" x ".join(map(str, s)) for s in (each.shape, each.meets))
            judgement.applies = True
            judgement.note(
                ONE_NOISE,
                f"random numbers of the shape {shape} meet results of the shape {meets} here: all "
                "samples of a batch share them. Draw them in that shape.",
                each.at,
            )


def _judge_first_batches(epochs: Epochs, loader: Loader, judgement: Judgement) -> None:
    """Accuse a loop that makes a new iterator for each batch, and so sees the first one only."""
    given = [e for e in epochs.events if isinstance(e, Batch) and e.loader == loader.number]
    several = len(given) >= _FEW and (loader.batches or 0) > 1
    anew = len({batch.iterator for batch in given}) == len(given)
    equal = len({batch.digest for batch in given}) == 1 and given[0].digest
    if several and anew and equal:
        judgement.accuse(
            f"every update sees the first of {loader.batches} batches: each call of iter() "
            "begins anew. Make one iterator, and take the batches from that.",
            given[-1].at,
        )


def _judge_samples(epochs: Epochs, loader: Loader, judgement: Judgement) -> None:
    """Accuse loaders that never draw most samples, or whose samples overwrite each other."""
    if loader.weights and loader.samples and loader.weights < loader.samples:
        judgement.accuse(
            f"the sampler of this loader has {loader.weights} weights, and the data "
            f"{loader.samples} samples: those without a weight are never drawn. Give it a weight "
            "for each sample, not for each class: weights[labels].",
            loader.at,
        )
    if loader.overwritten:
        judgement.accuse(
            f"all samples of a batch are in one memory, into which {loader.data} writes the next "
            "one: the batch holds the last sample many times. Return a copy, as "
            f"{epochs.words.copies}.",
            loader.read_at if loader.read_at.file else loader.at,
        )


def _judge_orders(epochs: Epochs, training: list[Loader], judgement: Judgement) -> None:
    """Accuse loaders that shuffle, and give two epochs in the same order to one optimiser."""
    loaders = {loader.number: loader for loader in training if loader.shuffles}
    seen: dict[object, int] = {}
    alike: dict[tuple[str, ...], int] = {}  # by the samples, as each epoch may make its data anew
    for iterator, given, optimizer in _epochs_of(epochs):
        loader = loaders.get(given[0].loader)
        order = tuple(index for batch in given for index in batch.order or ())
        if loader is None or optimizer is None or len(order) < _ORDER:
            continue
        source = loader.source
        if loader.contents:
            source = alike.setdefault(loader.contents, source)
        key = loader.at, source, optimizer, order
        if seen.setdefault(key, iterator) != iterator:
            cure = "Seed random numbers once, before the loop."
            if loader.sampler == "DistributedSampler":
                cure = "Call sampler.set_epoch(epoch) before each epoch."
            elif judgement.accusations:
                continue  # a seed in the loop explains it
            text = "the loader shuffles, but two epochs come in the same order"
            judgement.accuse(f"{text}. {cure}", loader.at)


def _note_orders(epochs: Epochs, training: list[Loader], judgement: Judgement) -> None:
    """Note loaders that give the same batches, one after the other, in each of several epochs."""
    seen: dict[tuple[SourceLine, int], list[tuple[str, ...]]] = defaultdict(list)
    for _, given, optimizer in _epochs_of(epochs):
        loader, digests = epochs.loaders[given[0].loader], tuple(b.digest for b in given)
        if loader not in training or loader.sampler != "SequentialSampler" or optimizer is None:
            continue
        if (loader.batches or 0) > 1 and len({*digests}) > 1 and all(digests):
            seen[loader.at, optimizer].append(digests)
    for (at, _), orders in seen.items():
        if len(orders) > 1 and len({*orders}) == 1:
            judgement.note(
                ORDER,
                f"the batches of {len(orders)} epochs come in the same order: the loader does not "
                "shuffle. Pass shuffle=True, unless the order has a meaning.",
                at,
            )


def _epochs_of(epochs: Epochs) -> list[tuple[int, list[Batch], int | None]]:
    """Return each iterator with its batches, and the optimiser that steps behind the first."""
    given: dict[int, list[Batch]] = defaultdict(list)
    optimizers: dict[int, int] = {}
    last: int | None = None
    for event in epochs.events:
        if isinstance(event, Batch):
            last = event.iterator
            given[last].append(event)
        elif isinstance(event, Updated) and last is not None:
            optimizers.setdefault(last, event.optimizer)
    shortest = min((len(each) for each in given.values()), default=0)
    return [
        (number, each[: max(shortest, 1)], optimizers.get(number)) for number, each in given.items()
    ]


def _judge_seeds(epochs: Epochs, judgement: Judgement) -> None:
    """Accuse seeds that let two updates of one optimiser draw the same random numbers."""
    seen: set[tuple[int, str, str]] = set()
    window: list[LoopEvent] = []
    seeds: dict[str, SourceLine] = {}
    for event in epochs.events:
        window.append(event)
        if isinstance(event, Seeded):
            seeds[event.generator] = event.at
        if not isinstance(event, Updated):
            continue
        begin = _states_before_forward(window)
        for generator, state in event.states.items() if begin else ():
            key = event.optimizer, generator, begin[generator]
            if state != begin[generator] and generator in seeds:
                if key in seen:
                    judgement.accuse(
                        f"{generator}'s random numbers are seeded in the loop: several updates "
                        "draw the same ones, for dropout, noise or augmentation. Seed once, before "
                        "the loop.",
                        seeds[generator],
                    )
                seen.add(key)
        window = [event]


def _judge_keys(epochs: Epochs, judgement: Judgement) -> None:
    """Accuse draws in the loop by a key that is the same each time."""
    for key in epochs.keys:
        if key.values == 1 and key.times >= _FEW:
            why = f"it is made from the same seed each time ({key.made})" if key.made.file else ""
            judgement.accuse(
                f"this draws {key.draws} with the same key, {key.times} times"
                f"{': ' if why else ''}{why}. Make a key once, and split it in the loop.",
                key.at,
            )


def _states_before_forward(window: list[LoopEvent]) -> States:
    """Return the states of the generators before what an update draws for its forward."""
    states: States = {}
    for event in window:
        if isinstance(event, Called) and event.gradient:
            break
        if isinstance(event, Batch | Seeded | Updated):
            states = event.states
    return states


def _note_classes(loader: Loader, judgement: Judgement) -> None:
    """Note loaders whose batches have one class each."""
    if len(set(loader.classes)) > 1:
        judgement.note(
            SHUFFLE,
            "the loader does not shuffle, and its data is sorted: whole batches have one label "
            f"({', '.join(loader.classes)} in the first, middle and last one). Pass shuffle=True.",
            loader.at,
        )
