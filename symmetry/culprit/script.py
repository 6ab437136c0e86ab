"""A script that does one operation again, alone: saved operands and a short replay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from symmetry.culprit.spot import Spot
from symmetry.observe.tape import Event
from symmetry.units.state import Array

_SEEDS = {"numpy": "np.random.seed(0)", "torch": "torch.manual_seed(0)"}


@dataclass(frozen=True)
class Script:
    """Lines of Python, and the arrays that they read from a file beside them.

    Attributes
    ----------
    text
        The script. It loads the arrays from the file of its own name that ends in ``.npz``.
    arrays
        The operands, and the entries of the two units where they do not lie along an axis.
    """

    text: str
    arrays: Mapping[str, Array]

    def save(self, file: Path) -> None:
        """Write the arrays beside a script of this name."""
        arrays: dict[str, Any] = dict(self.arrays)
        np.savez(file.with_suffix(".npz"), **arrays)


def write(
    event: Event, q: int, spot: Spot, places: Mapping[int, int], comment: str
) -> Script | None:
    """Write the script; None if the operation cannot be written down.

    Parameters
    ----------
    event
        The operation in the run with equal units, with its operands.
    q
        The position in its arrays of the one that tells units apart.
    places
        The index of each unit along the axis of ``spot``, the usual unit first.
    """
    call, names = event.call, [f"a{n}" for n in range(len(event.operands))]
    line = call.write(names)
    if line is None or call.library not in _SEEDS:
        return None
    arrays: dict[str, Array] = {}
    body = [f"# {comment}", "from pathlib import Path", "", "import numpy as np"]
    body += ["import torch"] if call.library == "torch" else []
    body += ["", 'saved = np.load(Path(__file__).with_suffix(".npz"))']
    for name, operand, dtype in zip(names, event.operands, call.dtypes, strict=True):
        order = sorted(range(operand.ndim), key=lambda axis: -abs(operand.strides[axis]))
        arrays[name] = np.array(operand.transpose(order), order="C")
        body.append(f"{name} = {_made_anew(name, order, call.library, dtype)}")
    body += [_SEEDS[call.library]] if call.random else []
    written = list(call.written)
    if q < len(written):
        body += [line, f"result = {names[written[q]]}"]
    else:
        body += [f"result = {line}"]
        if event.fresh - len(written) > 1:
            body += [f"result = result[{q - len(written)}]"]
    if call.library == "torch":
        body += ["result = result.detach().double().numpy()"]
    if spot.kind == "axis":
        body += _along_axis(spot.axis, places)
    elif spot.kind == "alone":
        arrays["recorded"] = event.arrays[q]
        body += [
            'again = np.array_equal(result, saved["recorded"])',
            'print("alone, the result is that of the run:", again)',
        ]
    else:
        arrays["one"], arrays["other"] = spot.i, spot.j
        body += [
            'one, other = result.ravel()[saved["one"]], result.ravel()[saved["other"]]',
            "differ = int(((one != other) & ((one == one) | (other == other))).sum())",
            'print("entries in which the two units differ:", differ)',
        ]
    return Script("\n".join(body) + "\n", arrays)


def _made_anew(name: str, order: Sequence[int], library: str, dtype: str) -> str:
    inverse = [order.index(axis) for axis in range(len(order))]
    text = f'saved["{name}"]'
    if inverse != sorted(inverse):
        text += f".transpose({', '.join(map(str, inverse))})"
    if library == "torch":
        text = f"torch.from_numpy({text})" + (".bfloat16()" if dtype == "bfloat16" else "")
    return text


def _along_axis(axis: int, places: Mapping[int, int]) -> list[str]:
    usual = next(iter(places))
    return [
        f"rows = np.moveaxis(result, {axis}, 0)",
        f"places = {_in_python(places)}",
        f"usual = rows[places[{usual}]]",
        "differ = [",
        "    u for u, row in places.items()",
        "    if not np.array_equal(rows[row], usual, equal_nan=rows.dtype.kind in 'fc')",
        "]",
        f'print("units that differ from unit {usual}:", sorted(differ))',
    ]


def _in_python(places: Mapping[int, int]) -> str:
    """Write where units lie, shortly where they lie side by side."""
    units = sorted(places)
    if len(units) > 2 and units == list(range(units[0], units[-1] + 1)):
        shift = places[units[0]] - units[0]
        if all(place == unit + shift for unit, place in places.items()):
            more = f" + {shift}" if shift > 0 else f" - {-shift}" if shift else ""
            return f"{{u: u{more} for u in range({units[0]}, {units[-1] + 1})}}"
    return repr({unit: int(place) for unit, place in places.items()})
