"""The units of a training's model, for people and programs."""

import html
import json

from symmetry.finding.coverage import Coverage
from symmetry.units.units import Part
from symmetry.units.words import count


def lines(coverage: Coverage) -> list[str]:
    """Return the text that ``symmetry units`` prints."""
    found = [f"{coverage.model}: {count(len(coverage.groups), 'group')} of equal units"]
    for units, room in zip(coverage.groups, coverage.room, strict=True):
        many = f"{units.count} of {room}" if room > units.count else f"{units.count}"
        idle = coverage.idle.get(units.name, ())
        note = f" ({len(idle)} of them without gradient)" if idle else ""
        found.append(f"  {many:>9}  {units.name}{note}")
    if coverage.uncovered:
        found.append("in no group")
        found += [f"  {u.size:>9}  {u.array} axis {u.axis}: {u.why}" for u in coverage.uncovered]
    if coverage.random:
        found.append("random operations, replaced by their means")
        found += [f"             {operation}" for operation in coverage.random]
    return found


def to_json(coverage: Coverage) -> str:
    """Return the text of the file that ``symmetry units --json`` writes."""
    groups = [
        {
            "name": units.name,
            "units": units.count,
            "of": room,
            "no_gradient": coverage.idle.get(units.name, ()),
            "parts": [_part(part) for part in units.parts],
        }
        for units, room in zip(coverage.groups, coverage.room, strict=True)
    ]
    content = {
        "model": coverage.model,
        "groups": groups,
        "uncovered": [vars(slices) for slices in coverage.uncovered],
        "random": [*coverage.random],
    }
    return json.dumps(content, indent=2) + "\n"


def to_html(coverage: Coverage) -> str:
    """Return the text for a notebook."""
    return f"<pre>{html.escape(chr(10).join(lines(coverage)))}</pre>"


def _part(part: Part) -> dict[str, object]:
    """Return what JSON has of a part: ``arrays`` only where each unit is an array of its own."""
    return {name: value for name, value in vars(part).items() if name != "arrays" or value}
