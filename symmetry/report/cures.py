"""The cure in a message, apart from the fact that was measured.

A message says what was found, and mostly ends with what to do: ``parted`` keeps the two apart.
"""

from __future__ import annotations

import re

# The first words of a cure, in messages.
# fmt: off
_DOING = {
    "Accumulate", "Add", "Apply", "Average", "Call", "Clip", "Compare", "Compute", "Copy",
    "Count", "Divide", "Draw", "Evaluate", "Exchange", "Give", "Hand", "Initialise", "Keep",
    "Leave", "Let", "Load", "Make", "Mask", "Move", "Multiply", "Normalise", "Pass", "Put",
    "Read", "Rename", "Return", "Save", "Scale", "Seed", "Set", "Shift", "Shuffle", "Split",
    "Start", "Step", "Sum", "Take", "Train", "Update", "Use", "Write",
}
# fmt: on
_SENTENCES = re.compile(r"(?<=[.?])\s+(?=[A-Z])")
_CLAUSES = re.compile(r"[:;,] ")


def parted(text: str) -> tuple[str, str]:
    """Return the fact of a message, and the cure that it ends with; empty if it has none.

    Examples
    --------
    >>> parted("this clips nothing: no parameter has a gradient yet. Clip behind backward().")
    ('this clips nothing: no parameter has a gradient yet', 'Clip behind backward().')
    >>> parted("the loss is given probabilities: give it the logits")
    ('the loss is given probabilities', 'Give it the logits.')
    """
    sentences = _SENTENCES.split(text.strip())
    for number, sentence in enumerate(sentences[1:], 1):
        first = sentence.partition(" ")[0]
        if first in _DOING or (first == "If" and any(_begins(p) for p in sentence.split(", ")[1:])):
            return _bare(" ".join(sentences[:number])), " ".join(sentences[number:])
    for clause in _CLAUSES.finditer(text):
        rest = text[clause.end() :]
        if clause[0][0] in ":;" and _begins(rest):
            return _bare(text[: clause.start()]), f"{rest[0].upper()}{rest[1:].rstrip('.')}."
    return _bare(text), ""


def _begins(text: str) -> bool:
    """Return whether a clause says what to do."""
    return text.partition(" ")[0].rstrip(",").capitalize() in _DOING


def _bare(text: str) -> str:
    return text.strip().removesuffix(".")
