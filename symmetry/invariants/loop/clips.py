"""Clips of gradients: an update reads the result, and they are made of all of its gradients."""

from __future__ import annotations

import math
from collections import Counter, defaultdict

from symmetry.invariants.loop.judgement import Judgement
from symmetry.law.note import NoteKind
from symmetry.observe.source_line import SourceLine
from symmetry.training.events import Backward, Clipped, Epochs, Updated

CLIPS = NoteKind(
    "loop/clips",
    meaning="Gradients are clipped before all backwards of an update are done, and then once more, "
    "so that a limit changes how much each micro-batch counts.",
)
_AGAIN = 2  # times that a line has to do it


def judge_clips(epochs: Epochs, judgement: Judgement) -> None:
    """Accuse clips that no update can notice; note those of a part of an update's gradients."""
    read = {number for e in epochs.events if isinstance(e, Updated) for number in e.clips}
    last = max((n for n, e in enumerate(epochs.events) if isinstance(e, Updated)), default=-1)
    lines: dict[SourceLine, list[Clipped]] = defaultdict(list)
    for event in epochs.events[: last + 1]:
        if isinstance(event, Clipped) and math.isfinite(event.limit):
            lines[event.at].append(event)
    for at, clips in lines.items():
        if any(clip.is_exhausted for clip in clips):
            judgement.accuse(
                "this clips nothing: the generator of parameters that it is given was used up "
                "before. Pass model.parameters(), or a list.",
                at,
            )
        elif len(clips) < _AGAIN or any(clip.number in read or clip.is_empty for clip in clips):
            continue
        elif not any(clip.gradients for clip in clips):
            judgement.accuse(
                "this clips nothing: no parameter has a gradient yet. Clip between backward() and "
                "step().",
                at,
            )
        elif all(clip.gradients for clip in clips):
            judgement.accuse(
                "gradients are clipped after step(), and cleared before the next one: no update "
                "notices. Clip between backward() and step().",
                at,
            )
    _note_parts(epochs, judgement)


def _note_parts(epochs: Epochs, judgement: Judgement) -> None:
    """Note lines that clip the gradients of an update so far, and again after more backwards."""
    lines: Counter[SourceLine] = Counter()
    for update in epochs.events:
        if isinstance(update, Updated) and len(update.clips) > 1:
            lines.update(_clipping_parts(epochs, update))
    for at, times in lines.items():
        if times >= _AGAIN:
            judgement.note(
                CLIPS,
                "this clips the gradients of an update before all of its backwards are done, and "
                "then once more with the next ones added: a limit that acts changes how much each "
                "micro-batch counts. Clip once, just before step().",
                at,
            )


def _clipping_parts(epochs: Epochs, update: Updated) -> set[SourceLine]:
    """Return the lines of an update that clip its gradients, and again after a backward."""
    open_lines: dict[SourceLine, bool] = {}  # whether a backward has followed their clip
    found = set()
    for event in epochs.events:
        if isinstance(event, Backward) and event.number in update.backwards:
            open_lines = dict.fromkeys(open_lines, True)
        elif isinstance(event, Clipped) and event.number in update.clips:
            if open_lines.get(event.at):
                found.add(event.at)
            if math.isfinite(event.limit):
                open_lines[event.at] = False
    return found
