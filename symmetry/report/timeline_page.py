"""The timeline of a script as a page: a picture of its events, and the tables below."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from jinja2 import Environment, PackageLoader

from symmetry.report.heat_map import CELL, LEFT, HeatMap, heat_maps
from symmetry.report.loss_weights import shown_update, weight_matrices, weights_heading
from symmetry.report.timeline import loader_name, tables, timeline
from symmetry.training.events import (
    Backward,
    Batch,
    Called,
    Cleared,
    Clipped,
    Epochs,
    LoopEvent,
    Restored,
    Saved,
    Scheduled,
    Switched,
    Updated,
)
from symmetry.units.words import count

_WIDTH, _LEFT, _LANE, _MOST = 1100, 230, 24, 900  # pixels; and events that are drawn
_WEIGHTS = (
    "How much each term counts in the gradient. Terms of one loss weigh the same where nothing "
    "else is meant, and all together 1."
)
_DOCUMENTS = (
    "How much each token of a packed row acts on the outputs of each document. Tokens of other "
    "documents have no influence if documents are kept apart."
)
_NAME = 18  # characters of a model's name
_COLOURS = {
    "training": "#2b6cb0",
    "evaluation": "#dd8a1f",
    "other": "#4a5568",
    "update": "#2f855a",
}


@dataclass(frozen=True)
class Mark:
    """A mark of a picture: where it is, its colour, and what it says when it is pointed at."""

    x: float
    lane: int
    colour: str
    title: str


def to_page(epochs: Epochs) -> str:
    """Return the page as HTML; it needs no other file."""
    environment = Environment(loader=PackageLoader("symmetry.report"), autoescape=True)
    lanes, marks = picture(epochs)
    rates = _rates(epochs)
    return environment.get_template("timeline.html.jinja").render(
        epochs=epochs,
        script=epochs.name.partition(" ")[0],
        updates=count(len(epochs.of(Updated)), "update"),
        lanes=lanes,
        marks=marks,
        rates=rates,
        top=max((rate for *_, rate in rates), default=0.0),
        left_out=max(len(epochs.events) - _MOST, 0),
        tables=[*tables(epochs)],
        text="\n".join(timeline(epochs)),
        width=_WIDTH,
        left=_LEFT,
        lane=_LANE,
        colours=_COLOURS,
        sections=[*_sections(epochs)],
        names=LEFT,
        cell=CELL,
    )


def _sections(epochs: Epochs) -> Iterator[tuple[str, str, list[HeatMap], list[tuple[str, str]]]]:
    """Yield a heading, a text, pictures and their scale for each kind of influence."""
    if (update := shown_update(epochs)) is not None:
        yield weights_heading(update), _WEIGHTS, *heat_maps(weight_matrices(update))
    if epochs.influences:
        yield "influence of tokens on documents", _DOCUMENTS, *heat_maps(epochs.influences)


def picture(epochs: Epochs) -> tuple[list[str], list[Mark]]:
    """Return the names of the lanes, and the marks in them, from left to right in time."""
    lanes: dict[str, int] = {}
    marks: list[Mark] = []
    for number, event in enumerate(epochs.events[:_MOST]):
        if found := _lane_of(event, epochs):
            name, colour, title = found
            lane = lanes.setdefault(name, len(lanes))
            marks.append(Mark(_x(number, epochs), lane, colour, f"{title} ({event.at})"))
    return [*lanes], marks


def _x(number: int, epochs: Epochs) -> float:
    shown = min(len(epochs.events), _MOST)
    return _LEFT + (number + 0.5) * (_WIDTH - _LEFT) / max(shown, 1)


def _lane_of(event: LoopEvent, epochs: Epochs) -> tuple[str, str, str] | None:
    """Return the lane of an event, its colour, and a few words; None if it has none."""
    if isinstance(event, Batch):
        trains = event.loader in epochs.training_loaders
        colour = _COLOURS["training" if trains else "evaluation"]
        return (
            f"batches of {loader_name(event.loader, epochs)}",
            colour,
            ", ".join(event.shapes),
        )
    if isinstance(event, Called | Switched):
        model = epochs.models[event.model]
        name = _short(model.variable or model.name)
        mode = "training" if event.training else "evaluation"
        if isinstance(event, Switched):
            return f"{name}: train(), eval()", _COLOURS[mode], f"{mode} mode"
        gradient = "with" if event.gradient else "without"
        return f"calls of {name}", _COLOURS[mode], f"{mode} mode, {gradient} gradients"
    other = _COLOURS["other"]
    if isinstance(event, Updated):
        rates = ", ".join(f"{rate:.4g}" for rate in event.rates)
        return "updates", _COLOURS["update"], f"update {event.update}, rate {rates}"
    if isinstance(event, Backward):
        return "backwards", other, event.operation
    if isinstance(event, Cleared):
        return "gradients cleared", other, f"{count(len(event.lost), 'unread backward')}"
    if isinstance(event, Clipped):
        return "clips", other, f"to {event.limit:g}"
    if isinstance(event, Scheduled):
        return "schedulers", other, event.kind
    if isinstance(event, Saved | Restored):
        return "states saved, restored", other, type(event).__name__.lower()
    return None


def _short(name: str) -> str:
    """Return the beginning of a long name: the marks begin to the right of it."""
    return name if len(name) <= _NAME else f"{name[: _NAME - 1]}\N{HORIZONTAL ELLIPSIS}"


def _rates(epochs: Epochs) -> list[tuple[float, float, float]]:
    """Return the largest learning rate of each update: where, its share of the top, the rate."""
    rates = [
        (_x(number, epochs), max(event.rates, default=0.0))
        for number, event in enumerate(epochs.events[:_MOST])
        if isinstance(event, Updated)
    ]
    top = max((rate for _, rate in rates), default=0.0) or 1.0
    return [(x, rate / top, rate) for x, rate in rates]
