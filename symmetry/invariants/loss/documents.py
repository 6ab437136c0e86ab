"""``loss/documents``: no last token of a document is trained to predict the next document.

Example: labels are the tokens, moved by one, and two texts are in a row.

    tokens    a b c d | e f g
    labels    b c d e | f g         d is trained to predict e, which follows by chance

Set the label of each first token to -100. A label is known by the gradient of the loss, which is
lowest at the label's own score, however the loss is written.
"""

from __future__ import annotations

from symmetry.invariants.invariant import PROMOTED, TrainingInvariant
from symmetry.law.measurement import Measurement, Violation
from symmetry.training.capabilities.rows import PackedCall, Rows
from symmetry.training.start import TrainingStart

_MOST = 0.5  # of the boundaries that a loss may cross


def documents(start: TrainingStart) -> Measurement:
    """Look for labels that are tokens of the next document."""
    judged = [call for call in start.packed if call.boundaries]
    if not judged:
        return Measurement.not_applicable("no loss of it predicts the tokens of packed documents")
    crossing = next((c for c in judged if c.crossing > _MOST * c.boundaries), None)
    return Measurement(True) if crossing is None else Measurement.violated(_violation(crossing))


INVARIANT = TrainingInvariant(
    name="loss/documents",
    statement="no last token of a packed document is to predict the next document (float64)",
    reason="which document follows is chance",
    witness="a row of several documents, and a loss of their tokens",
    cause="the last token of a document is trained to predict the next document",
    cure="Set the label at each end of a document to -100.",
    targets="PyTorch trainings on tokens",
    failure="learns which document follows",
    needs=(Rows,),
    measure=documents,
    dtypes=PROMOTED,
    runs=1,
)


def _violation(call: PackedCall) -> Violation:
    text = (
        f"{call.crossing} of {call.boundaries} last tokens of documents are trained to predict the "
        f"first token of the next document, which follows by chance ({call.known_by} says where "
        "documents begin). Set the label of each first token to -100."
    )
    return Violation.at(text, call.at)
