"""A check as a table of HTML, for notebooks."""

from __future__ import annotations

import jinja2

from symmetry.checker.verdict import Checked, Kind, Verdict
from symmetry.report.verdicts import details, gist, last_line

_COLOURS: dict[Kind, str] = {
    "holds": "#1a7f37",
    "violated": "#cf222e",
    "error": "#cf222e",
    "rounding": "#9a6700",
    "expected failure": "#0969da",
}
_GREY = "#656d76"

_CELL = "text-align:left;vertical-align:top;padding:.1em .6em"
_TEMPLATE = """\
<div>
<p style="margin:0">{{ checked.heading | join("<br>" | safe) }}</p>
<table style="margin:.5em 0">
<thead><tr>
{% for name in ("invariant", "dtype", "verdict", "what it says") %}
<th style="{{ cell }}">{{ name }}</th>
{% endfor %}
</tr></thead>
<tbody>
{% for v in checked.verdicts %}
<tr>
<td style="{{ cell }};white-space:nowrap">{{ v.invariant }}</td>
<td style="{{ cell }}">{{ v.dtype }}</td>
<td style="{{ cell }};white-space:nowrap;color:{{ colour(v) }}"><b>{{ v.kind }}</b></td>
<td style="{{ cell }}">
{% set lines = details(checked, v) %}
{% if lines %}
<details><summary>{{ gist(v) }}</summary>\
<pre style="white-space:pre-wrap">{{ lines | join("\\n") }}</pre></details>
{% else %}
{{ gist(v) }}
{% endif %}
</td>
</tr>
{% endfor %}
</tbody>
</table>
{% for note in checked.notes %}
<p style="margin:0">{{ note }}</p>
{% endfor %}
<p style="margin:0"><b>{{ last_line(checked.verdicts) }}</b></p>
</div>
"""


def table(checked: Checked) -> str:
    """Return the verdicts of a check, one row each; what failed can be unfolded."""
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    return environment.from_string(_TEMPLATE).render(
        checked=checked,
        cell=_CELL,
        colour=_colour,
        details=details,
        gist=gist,
        last_line=last_line,
    )


def _colour(verdict: Verdict) -> str:
    return _COLOURS["violated"] if verdict.stale else _COLOURS.get(verdict.kind, _GREY)
