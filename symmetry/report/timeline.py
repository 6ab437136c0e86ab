"""The events of a script's run over whole epochs, as a table: it judges nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial, singledispatch

from symmetry.invariants.loss.pieces import LossSite, UpdateInPieces, updates_in_pieces
from symmetry.observe.source_line import SourceLine
from symmetry.observe.terms import Terms
from symmetry.training.events import (
    Backward,
    Batch,
    Called,
    Cleared,
    Clipped,
    Epochs,
    Exhausted,
    Loader,
    LoopEvent,
    Misspelt,
    Model,
    Restored,
    Saved,
    Scheduled,
    Seeded,
    Switched,
    Updated,
)
from symmetry.units.words import count

_LONGEST = 60  # steps in a block that repeats
_INDENT = 3


@dataclass(frozen=True)
class TimelineStep:
    """A line of a timeline: where, what, and the learning rates, which change from time to time."""

    at: SourceLine
    text: str
    rates: tuple[float, ...] = field(default=(), compare=False)


@dataclass(frozen=True)
class Repeated:
    """Steps that come several times one after the other."""

    times: int
    steps: tuple[TimelineStep | Repeated, ...]


Node = TimelineStep | Repeated


def lines(epochs: Epochs) -> Iterator[str]:
    """Yield the text that ``symmetry watch`` prints."""
    updates = count(len(epochs.of(Updated)), "update")
    yield f"{epochs.name}: {updates}, ended: {epochs.ended}"
    for heading, rows in tables(epochs):
        yield from ("", heading)
        yield from _aligned(rows)
    yield from ("", "timeline")
    yield from timeline(epochs)


def timeline(epochs: Epochs) -> Iterator[str]:
    """Yield the events in order, each with its line."""
    yield from _indented(fold(steps(epochs)), 1)


def tables(epochs: Epochs) -> Iterator[tuple[str, list[tuple[str, ...]]]]:
    """Yield what took part: a heading, and rows."""
    if epochs.models:
        yield "models", [_model_row(model) for model in epochs.models]
    if epochs.optimizers:
        yield (
            "optimisers",
            [
                (_named(o.variable, o.kind), count(o.parameters, "parameter tensor"))
                for o in epochs.optimizers
            ],
        )
    if epochs.loaders:
        alike = Counter(map(partial(label_of, epochs=epochs), range(len(epochs.loaders))))
        yield "loaders", [_loader_row(epochs, n, times) for n, times in alike.items()]
    if epochs.copies:
        yield (
            "copies",
            [(copy.name, f"follows {copy.of}", _range(copy.weights)) for copy in epochs.copies],
        )
    rows: list[tuple[str, ...]] = [
        (text, how, f"{times} times" if times > 1 else "")
        for texts, how in (
            (epochs.shortened, "ended early"),
            (epochs.unshortened, "ended by itself"),
        )
        for text, times in Counter(texts).items()
    ]
    if rows:
        yield "epochs", rows
    if (update := _shown_update(epochs)) is not None:
        yield _weights_heading(update), [*_weight_rows(update)]


def _model_row(model: Model) -> tuple[str, ...]:
    return (
        _named(model.variable, model.name),
        count(model.parameters, "parameter"),
        "trained" if model.is_trained else "not trained",
        count(model.dropouts, "dropout"),
        f"{count(model.statistics, 'module')} with running statistics",
    )


def label_of(number: int, epochs: Epochs) -> int:
    """Return the number of the first loader that is like this one: some are made in each epoch."""
    mine = _facts(epochs.loaders[number], epochs)
    return next(n for n, loader in enumerate(epochs.loaders) if _facts(loader, epochs) == mine)


def loader_name(number: int, epochs: Epochs) -> str:
    """Return the variable of a loader, or its number."""
    first = label_of(number, epochs)
    return epochs.loaders[first].variable or f"loader {first}"


def _named(variable: str, kind: str) -> str:
    return f"{variable} ({kind})" if variable else kind


def _facts(loader: Loader, epochs: Epochs) -> tuple[object, ...]:
    trains = loader.number in epochs.training_loaders
    return loader.at, loader.data, loader.samples, loader.size, loader.sampler, trains


def _loader_row(epochs: Epochs, number: int, times: int) -> tuple[str, ...]:
    loader = epochs.loaders[number]
    samples = "" if loader.samples is None else count(loader.samples, "sample")
    batches = "" if loader.batches is None else count(loader.batches, "batch", "batches")
    return (
        loader_name(number, epochs) + f", made {times} times" * (times > 1),
        str(loader.at),
        "trains" if loader.number in epochs.training_loaders else "evaluates",
        loader.data,
        samples,
        batches,
        "shuffled" if loader.shuffles else loader.sampler,
        count(loader.workers, "worker"),
    )


def steps(epochs: Epochs) -> list[TimelineStep]:
    """Return a step for each event that says something."""
    found = (TimelineStep(e.at, *_described(e, epochs)) for e in epochs.events)
    return [step for step in found if step.text]


def fold(nodes: Sequence[Node]) -> list[Node]:
    """Let blocks that repeat stand once, the short ones first, so that they nest."""
    folded = [*nodes]
    for length in range(1, _LONGEST + 1):
        folded = _folded(folded, length)
    return folded


def _folded(nodes: list[Node], length: int) -> list[Node]:
    found: list[Node] = []
    begin = 0
    while begin < len(nodes):
        block, times = nodes[begin : begin + length], 1
        while nodes[begin + times * length : begin + (times + 1) * length] == block:
            block = [*map(_merged, block, nodes[begin + times * length :])]
            times += 1
        if times > 1:
            found.append(Repeated(times, tuple(block)))
            begin += times * length
        else:
            found.append(nodes[begin])
            begin += 1
    return found


def _merged(node: Node, other: Node) -> Node:
    """Return one node for two that are equal: with the learning rates of both."""
    if isinstance(node, TimelineStep) and isinstance(other, TimelineStep):
        return replace(node, rates=(*node.rates, *other.rates))
    assert isinstance(node, Repeated)
    assert isinstance(other, Repeated)
    return Repeated(node.times, tuple(map(_merged, node.steps, other.steps)))


def _indented(nodes: Sequence[Node], depth: int) -> Iterator[str]:
    indent = " " * _INDENT * depth
    for node in nodes:
        if isinstance(node, Repeated):
            yield f"{indent}{node.times} times"
            yield from _indented(node.steps, depth + 1)
        else:
            yield f"{indent}{node.at!s:<22}  {node.text}{_rates(node.rates)}"


def _rates(rates: Sequence[float]) -> str:
    return f", rate {_range(rates)}" if rates else ""


def _range(numbers: Sequence[float]) -> str:
    """Return the first, the largest or smallest between, and the last of some numbers."""
    if not numbers:
        return ""
    first, last = numbers[0], numbers[-1]
    inner = [n for n in numbers if not min(first, last) <= n <= max(first, last)]
    parts = dict.fromkeys([first, *inner[:1], last])
    return " to ".join(f"{number:.4g}" for number in parts)


def _aligned(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
        yield f"   {'  '.join(cells)}".rstrip()


def _described(event: LoopEvent, epochs: Epochs) -> tuple[str, tuple[float, ...]]:
    return (_text(event, epochs), event.rates if isinstance(event, Updated) else ())


@singledispatch
def _text(event: LoopEvent, epochs: Epochs) -> str:
    """Return an event in words; nothing for events that need no line."""
    del event, epochs
    return ""


@_text.register
def _(event: Batch, epochs: Epochs) -> str:
    return f"batch of {loader_name(event.loader, epochs)} ({', '.join(event.shapes)})"


@_text.register
def _(event: Exhausted, epochs: Epochs) -> str:
    name = loader_name(event.loader, epochs)
    return f"{name}: the epoch {'is cut here' if event.cut else 'ends'}"


@_text.register
def _(event: Called, epochs: Epochs) -> str:
    mode = "training" if event.training else "evaluation"
    gradient = "with" if event.gradient else "without"
    model, shapes = epochs.models[event.model], ", ".join(event.shapes)
    name = model.variable or model.name
    return f"{name}({shapes}) in {mode} mode, {gradient} gradients"


@_text.register
def _(event: Backward, _: Epochs) -> str:
    made = event.operation.partition("Backward")[0]
    return f"backward of {made}" if made else "gradients by autograd.grad"


@_text.register
def _(event: Cleared, _: Epochs) -> str:
    unread = f": {count(len(event.lost), 'backward')} that no update has read" if event.lost else ""
    return f"gradients are cleared{unread}"


@_text.register
def _(event: Clipped, _: Epochs) -> str:
    return f"{count(event.gradients, 'gradient')} clipped to {event.limit:g}"


@_text.register
def _(event: Updated, epochs: Epochs) -> str:
    mine = (o for o in epochs.optimizers if o.number == event.optimizer)
    kind = next((_named(o.variable, o.kind) for o in mine), "optimiser")
    several = f" of {len(event.backwards)} backwards" if len(event.backwards) > 1 else ""
    return f"update by {kind}{several}"


@_text.register
def _(event: Scheduled, _: Epochs) -> str:
    return f"{event.kind} steps"


@_text.register
def _(event: Switched, epochs: Epochs) -> str:
    model = epochs.models[event.model]
    return f"{model.variable or model.name}.{'train' if event.training else 'eval'}()"


@_text.register
def _(event: Seeded, _: Epochs) -> str:
    return f"{event.generator} is seeded"


@_text.register
def _(event: Restored, _: Epochs) -> str:
    how = "load_state_dict" if event.model is not None else "copies"
    return f"{how}: {count(event.tensors, 'tensor')}"


@_text.register
def _(event: Saved, epochs: Epochs) -> str:
    save = epochs.words.save
    return f"{save} ({', '.join(event.keys)})" if event.position else save


@_text.register
def _(event: Misspelt, _: Epochs) -> str:
    return f"{event.owner} gets {event.name} = {event.value}"


def _shown_update(epochs: Epochs) -> UpdateInPieces | None:
    """Return the update that is shown: the first of several micro-batches, if there is one."""
    updates = updates_in_pieces(epochs)
    several = [update for update in updates if len(update.pieces) > 1]
    return next(iter([*several, *updates]), None)


def _weights_heading(update: UpdateInPieces) -> str:
    """Return a heading for the weights of an update."""
    return f"weights of loss terms in update {update.updated.update} ({update.updated.at})"


def _weight_rows(update: UpdateInPieces) -> Iterator[tuple[str, ...]]:
    """Yield a row for each micro-batch of each loss, and one for all of them."""
    for site, pieces in update.sites.items():
        name = _site(site, update)
        for number, terms in pieces.items():
            together = f"together {terms.total:.4g}"
            yield name, _piece(number), _counted(terms), _each(terms), together
            name = ""
        total = f"together {sum(terms.total for terms in pieces.values()):.4g}"
        yield "", f"all {count(len(pieces), 'micro-batch', 'micro-batches')}", "", "", total


def _site(site: LossSite, update: UpdateInPieces) -> str:
    return f"{site.operation} ({site.at if site.at.file else update.asked})"


def _piece(number: int) -> str:
    return f"micro-batch {number + 1}"


def _counted(terms: Terms) -> str:
    return f"{terms.count} of {count(terms.size, 'term')}"


def _each(terms: Terms) -> str:
    if terms.are_equal or not terms.count:
        return f"each {terms.weight:.4g}"
    return f"each {terms.least:.4g} to {terms.most:.4g}"
