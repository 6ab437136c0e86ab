"""``model/functions``: the backward of a custom function, against differences of its forward."""

from symmetry.invariants.invariant import PROMOTED, TrainingInvariant
from symmetry.law.measurement import Measurement, Violation
from symmetry.training.run import needed
from symmetry.training.start import TrainingStart
from symmetry.training.trial import CustomFunction, Functions, Slope

_TOLERANCE = 1e-5  # of the magnitudes that a slope is the sum of
_ZERO = 1e-9  # of them: a forward that changes by less does not depend on the argument


def functions(start: TrainingStart) -> Measurement:
    """Compare the backward of each custom function with differences of its forward."""
    tried = start.with_run(lambda run: needed(run, Functions).custom_functions(), noise=False)
    if not tried:
        return Measurement.not_applicable(Functions.absent)
    reasons: dict[str, str] = {}
    counted, worst = False, 0.0
    for function in tried:
        for slope in function.slopes:
            deviation, allowed = abs(slope.claimed - slope.narrow), _allowed(slope)
            if why_not := _why_not(slope):
                reasons[function.name] = why_not
            elif deviation > allowed:
                return Measurement.violated(_violation(function, slope))
            else:
                counted = counted or abs(slope.narrow) > allowed
                worst = max(worst, deviation / allowed if allowed else 0.0)
        if function.why_not:
            reasons[function.name] = function.why_not
    told = "; ".join(f"{name}: {why}" for name, why in reasons.items())
    return Measurement(counted, margin=worst, note=told and f"cannot judge {told}")


INVARIANT = TrainingInvariant(
    name="model/functions",
    statement="the backward of a custom function is the derivative of its forward (float64)",
    reason="autograd multiplies by it as by a derivative",
    witness="a smooth function with a derivative of one's own, a slope above its error",
    cause="the backward of the function is not the derivative of its forward",
    cure="Compare it with torch.autograd.gradcheck.",
    targets="PyTorch and JAX trainings",
    needs=(Functions,),
    measure=functions,
    compared="bound",
    dtypes=PROMOTED,
    runs=1,
)


def _allowed(slope: Slope) -> float:
    return _TOLERANCE * slope.size + 10 * abs(slope.wide - slope.narrow)


def _why_not(slope: Slope) -> str:
    """Say why differences decide nothing here; nothing if they do."""
    if abs(slope.wide - slope.narrow) > _TOLERANCE * slope.size:
        return f"it is not smooth in {slope.argument} here"
    if abs(slope.narrow) <= _ZERO * slope.size:
        return f"its forward does not depend on {slope.argument}"
    return ""


def _violation(function: CustomFunction, slope: Slope) -> Violation:
    message = (
        f"the backward of {function.name} is not the derivative of its forward: it claims that "
        f"{slope.argument} changes the result by {slope.claimed:.6g} along a direction, and "
        f"differences of the forward over two distances agree on {slope.narrow:.6g}; derive it "
        f"again, and test it with {function.test}"
    )
    return Violation.at(message, function.place, allowed=_allowed(slope))
