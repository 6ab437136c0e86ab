"""The units of a training's model, for people and programs."""

import html
import json
from collections.abc import Sequence
from typing import Any

from symmetry.finding.coverage import Coverage, Unequal
from symmetry.units.units import Part
from symmetry.units.words import count

_NAMED = 3  # layers of which one line tells


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
    for heading, texts in (
        ("layers without equal units", without_units(coverage.without_units)),
        ("modules without gradient", coverage.without_gradient),
        ("random operations, replaced by their means", coverage.random),
    ):
        found += [heading, *(f"             {text}" for text in texts)] if texts else []
    return found


def without_units(layers: Sequence[Unequal]) -> list[str]:
    """Return a line for each layer whose units are not all equal; those of one cause share it."""
    alike: dict[tuple[int, int, str], list[str]] = {}
    for layer in layers:
        name = f"{'layer ' * layer.module.replace('.', '').isdigit()}{layer.module or 'the model'}"
        alike.setdefault((layer.units, layer.equal, layer.why), []).append(name)
    return [
        f"{several(names)}: {count(units, 'unit')}{' each' * (len(names) > 1)}, "
        f"{f'only {equal}' if equal else 'none'} equal: {why}"
        for (units, equal, why), names in alike.items()
    ]


def several(names: Sequence[str]) -> str:
    """Return the first of some names, and how many more there are."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def layers_record(layers: Sequence[Unequal]) -> list[dict[str, Any]]:
    """Return the layers whose units are not all equal as JSON has them."""
    return [
        {
            "module": layer.module,
            "units": layer.units,
            "why": layer.why,
            "file": layer.place.shown,
            "line": layer.place.line,
        }
        for layer in layers
    ]


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
        "without_units": layers_record(coverage.without_units),
        "without_gradient": [*coverage.without_gradient],
    }
    return json.dumps(content, indent=2) + "\n"


def to_html(coverage: Coverage) -> str:
    """Return the text for a notebook."""
    return f"<pre>{html.escape(chr(10).join(lines(coverage)))}</pre>"


def _part(part: Part) -> dict[str, object]:
    """Return what JSON has of a part: ``arrays`` only where each unit is an array of its own."""
    return {name: value for name, value in vars(part).items() if name != "arrays" or value}
