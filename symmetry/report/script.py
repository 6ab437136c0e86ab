"""A short Python script that shows one failure without the checker: NumPy and the target only.

The arrays are written out where they are small. Large ones follow from the case, for which this
package is needed as well.
"""

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from symmetry.base.errors import SymmetryError
from symmetry.checker.verdict import Verdict
from symmetry.report.filling import fill_in
from symmetry.report.verdicts import command_for
from symmetry.steps.cases.recipes import make_start
from symmetry.steps.invariants.two_layer import without_dead_rows
from symmetry.steps.start import StepStart
from symmetry.targets.load import name_in_package
from symmetry.targets.resolve import BUILTIN

_LITERALS = 1000  # numbers that one array may have to be written out


def render_script(target: str, verdict: Verdict) -> str:
    """Return the text of a script that reproduces a failure that has a case.

    Raises ``SymmetryError`` if the target has no name by which it can be imported.
    """
    command = command_for(target, verdict)
    if verdict.case is None or command is None:
        raise SymmetryError(f"no script can import the target {target}")
    start = make_start(verdict.case)
    if verdict.invariant == "symmetry/dead-inputs":
        start = without_dead_rows(start)
    arrays = {"x": start.x, "y": start.y, "w1": start.w1, "w2": start.w2}
    small = all(array.size <= _LITERALS or not array.any() for array in arrays.values())
    return fill_in(
        "script.py.jinja",
        _docstring,
        heading=f"{verdict.invariant} in {verdict.dtype} of {target}: {verdict.kind}.",
        found=verdict.message,
        command=command,
        **_place(target),
        invariant=verdict.invariant,
        case=verdict.case,
        start={name: literal(array) for name, array in arrays.items()} if small else None,
        **_moves(verdict, start),
        **(vars(verdict.violation) if verdict.violation else {"array": None, "allowed": None}),
    )


def _moves(verdict: Verdict, start: StepStart) -> dict[str, Any]:
    """Say where the units lie that are rearranged, and in what order; None where none are."""
    violation = verdict.violation
    if violation is None or violation.group is None or violation.groups:  # which a split has
        return {"parts": None}
    units = start.units(violation.group)
    orders = start.orders([units])
    parts = [(part.array, part.axis, part.first) for part in units.parts]
    return {"parts": parts, "order": orders[0][1].tolist() if orders else None}


def _place(target: str) -> dict[str, Any]:
    """Say how the target is imported: folders to look in, first and last, module, attribute."""
    if target in BUILTIN:
        name = f"symmetry.steps.builtin.{target.replace('-', '_')}"
        return {"first": [], "last": [], "module": name, "attribute": "step"}
    source, _, attribute = target.rpartition(":")
    if not source.endswith(".py"):
        return {"first": [str(Path.cwd())], "last": [], "module": source, "attribute": attribute}
    file = Path(source).resolve()
    name, root = name_in_package(file)
    last = [] if root == file.parent else [str(file.parent)]
    return {"first": [str(root)], "last": last, "module": name, "attribute": attribute}


def _docstring(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"""', "'''")


def literal(array: NDArray[Any]) -> str:
    """Return an expression for an array, in which every number is exact."""
    if not array.any():
        return f"np.zeros({array.shape}, dtype)"
    return "\n".join(["np.array([", *(f"    {row}," for row in array.tolist()), "], dtype)"])
