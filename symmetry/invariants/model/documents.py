"""``model/documents``: in a packed row nothing of one document acts on another one.

Example: two texts in a row, and attention that is only causal.

    tokens       a b c d e f g
    positions    0 1 2 3 0 1 2    they begin again, so the second text is a document of its own

The second text reads the first one: what the model learns of a text depends on the text that was
packed before it. Give attention a mask of the documents, and let convolutions and recurrent states
begin anew with each.

Where documents begin is known by ``cu_seqlens``, by numbers of documents, or by positions that
begin again. The outputs of one document are projected at random in evaluation mode, in float64; the
gradient at the tokens of all others has to be zero. It is not judged where only one text of a row
is trained: then the others are its context.
"""

from __future__ import annotations

from collections.abc import Sequence

from symmetry.invariants.invariant import PROMOTED, TrainingInvariant
from symmetry.law.measurement import Measurement, Violation
from symmetry.training.capabilities.rows import PackedCall, Rows
from symmetry.training.start import TrainingStart

_ZERO = 1e-9  # of the influence within a document, in float64
_MOST = 0.9  # of the documents that have to be trained, or they are context


def documents(start: TrainingStart) -> Measurement:
    """Look for influences between the documents of packed rows."""
    calls = start.packed
    if not calls:
        return Measurement.not_applicable("no call of its model says where documents begin")
    if why_not := _why_not(calls):
        return Measurement.cannot_judge(why_not)
    leaking = next((call for call in calls if call.leak > _ZERO), None)
    return Measurement(True) if leaking is None else Measurement.violated(_violation(leaking))


INVARIANT = TrainingInvariant(
    name="model/documents",
    statement="in a packed row no document acts on another one (float64)",
    reason="documents are packed to save padding, and have nothing to do with each other",
    witness="a row of several documents that are trained",
    cause="the attention mask does not end at the documents of a packed row",
    cure="Pass the lengths of the documents, or a mask of blocks.",
    targets="PyTorch trainings on tokens",
    failure="lets packed documents act on each other",
    needs=(Rows,),
    measure=documents,
    dtypes=PROMOTED,
    runs=1,
)


def _why_not(calls: Sequence[PackedCall]) -> str:
    """Say why no call can be judged; nothing if one can."""
    reasons = [call.why_not or _context(call) for call in calls]
    return next(filter(None, reasons), "") if all(reasons) else ""


def _context(call: PackedCall) -> str:
    if call.documents and call.trained >= _MOST * call.documents:
        return ""
    return "most documents of a row are not trained, and may be the context of the others"


def _violation(call: PackedCall) -> Violation:
    first = f", first by {call.first}" if call.first else ""
    text = (
        f"the tokens of one document act on the outputs of another one in the same row{first}: up "
        f"to {call.leak:.2g} of the influence within a document. {call.known_by} says where "
        f"documents begin: give {call.module} a mask of documents, and let states begin anew."
    )
    return Violation.at(text, call.first_at or call.at)
