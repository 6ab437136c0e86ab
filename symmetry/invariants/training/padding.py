"""``training/padding``: what an attention mask hides changes nothing.

Example: a mean over all places of a row, though the mask hides some.

The tokens that the attention mask hides are replaced by others. The parameters have to be the same
after each step, up to rounding. Give the mask to each layer that mixes places, and leave hidden
places out of sums, means and losses.
"""

from dataclasses import replace

from symmetry.base.errors import TrainingError
from symmetry.invariants.invariant import TrainingInvariant
from symmetry.law.equivariance import compare_sides
from symmetry.law.measurement import Measurement
from symmetry.training.capabilities.batching import Padding
from symmetry.training.start import TrainingStart


def padding(start: TrainingStart) -> Measurement:
    """Compare a run with other tokens where masks hide them with the run as it is.

    It cannot be judged where padding is found by its token, or where a label stands next to it.
    """
    why = start.baseline.nothing_hidden
    try:
        if not why:
            found, _, why = start.with_others_hidden()
    except TrainingError as error:  # of tokens that it counts, say
        return Measurement.cannot_judge(f"with other hidden tokens, {error}")
    if why:
        return Measurement.not_applicable(why)
    measured = compare_sides(
        start, lambda _: (found, start.result), "other hidden tokens", "the run as it is"
    )
    if measured.violation is None:
        return measured
    _, seen, _ = start.with_others_hidden(look=True)
    for text, right in seen.items():
        if right:
            return Measurement.cannot_judge(text, random=measured.random)
    message = "; ".join((measured.violation.message, *seen))
    return replace(measured, violation=replace(measured.violation, message=message))


INVARIANT = TrainingInvariant(
    name="training/padding",
    statement="what an attention mask hides changes nothing",
    reason="hidden tokens take part in no sum, and no loss is computed of them",
    witness="a hidden token, another one there, and a state that moved",
    targets="PyTorch and JAX trainings on tokens",
    failure="reads what a mask hides",
    needs=(Padding,),
    measure=padding,
    compared="response",
    copies=8,
)
