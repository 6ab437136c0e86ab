"""The units of a training's model, for people and programs."""

import html
import json
from collections.abc import Sequence
from typing import Any

from symmetry.finding.coverage import Coverage, Dead, Unequal
from symmetry.units.units import Part
from symmetry.units.words import count, in_short, layer_name


def lines(coverage: Coverage) -> list[str]:
    """Return the text that ``symmetry units`` prints."""
    found = [f"{coverage.model}: {count(len(coverage.groups), 'group')} of equal units"]
    for units, capacity in zip(coverage.groups, coverage.capacity, strict=True):
        many = f"{units.count} of {capacity}" if capacity > units.count else f"{units.count}"
        dead = coverage.no_gradient.get(units.name, ())
        note = f" ({len(dead)} of them without gradient)" if dead else ""
        found.append(f"  {many:>9}  {units.name}{note}")
    if coverage.uncovered:
        found.append("in no group")
        found += [f"  {u.size:>9}  {u.array} axis {u.axis}: {u.why}" for u in coverage.uncovered]
    for heading, texts in (
        ("layers without equal units", without_units(coverage.without_units)),
        ("layers whose units are all 0", [layer.text for layer in coverage.dead]),
        ("modules without gradient", coverage.without_gradient),
        ("random operations, replaced by their means", coverage.random),
    ):
        found += [heading, *(f"             {text}" for text in texts)] if texts else []
    return found


def without_units(layers: Sequence[Unequal]) -> list[str]:
    """Return a line for each layer whose units are not all equal; those of one cause share it."""
    alike: dict[tuple[int, int, str], list[str]] = {}
    for layer in layers:
        alike.setdefault((layer.units, layer.equal, layer.why), []).append(layer_name(layer.module))
    return [
        f"{in_short(names)}: {count(units, 'unit')}{' each' * (len(names) > 1)}, "
        f"{f'only {equal}' if equal else 'none'} equal: {why}"
        for (units, equal, why), names in alike.items()
    ]


def layers_record(layers: Sequence[Unequal | Dead]) -> list[dict[str, Any]]:
    """Return layers whose units are not all equal, or are all 0, as JSON has them."""
    return [
        {
            "module": layer.module,
            "units": layer.units,
            "why": layer.why if isinstance(layer, Unequal) else layer.text,
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
            "of": capacity,
            "no_gradient": coverage.no_gradient.get(units.name, ()),
            "parts": [_part(part) for part in units.parts],
        }
        for units, capacity in zip(coverage.groups, coverage.capacity, strict=True)
    ]
    content = {
        "model": coverage.model,
        "groups": groups,
        "uncovered": [vars(slices) for slices in coverage.uncovered],
        "random": [*coverage.random],
        "without_units": layers_record(coverage.without_units),
        "without_gradient": [*coverage.without_gradient],
        "dead": layers_record(coverage.dead),
    }
    return json.dumps(content, indent=2) + "\n"


def to_html(coverage: Coverage) -> str:
    """Return the text for a notebook."""
    return f"<pre>{html.escape(chr(10).join(lines(coverage)))}</pre>"


def _part(part: Part) -> dict[str, object]:
    """Return the JSON object of a part; ``arrays`` only if each unit is an array of its own."""
    fields = {("where" if name == "within" else name): each for name, each in vars(part).items()}
    return {name: each for name, each in fields.items() if name != "arrays" or each}
