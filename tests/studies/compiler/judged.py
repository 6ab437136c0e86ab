"""The bugs that a person found who looked into rows that are not the same."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Bug:
    """One bug behind some rows, with a script that shows it without this study."""

    name: str  # in a cell of the table
    text: str  # a sentence or two
    script: str
    output: str


CEILING = Bug(
    "average pooling with `ceil_mode`",
    "The backward of average pooling with `ceil_mode=True` divides by the whole kernel, also where "
    "a window is cut off at the edge: the gradients there are 2 to 4 times too small. "
    "`lp_pool2d` takes its mean by the same function. It was found before: "
    "pytorch/pytorch#198119, open on 2026-11-28.",
    """\
import torch
from torch.nn import functional as F

for pool in (F.avg_pool2d, lambda x, *a, **b: F.lp_pool2d(x, 2, *a, **b)):
    for form in (pool, torch.compile(pool)):
        x = torch.ones(1, 1, 5, 5, dtype=torch.float64, requires_grad=True)
        form(x, 2, ceil_mode=True).sum().backward()
        print(x.grad[0, 0, -1].tolist())
""",
    """\
[0.5, 0.5, 0.5, 0.5, 1.0]
[0.25, 0.25, 0.25, 0.25, 0.25]
[1.0, 1.0, 1.0, 1.0, 2.0]
[0.5, 0.5, 0.5, 0.5, 0.5]
""",
)
# By the line of the row.
JUDGED: dict[str, Bug] = {
    "layers=image/average-pool width=26 size=5 batch=1"
    " loss=cosine rule=adamw dynamic=False dtype=float32": CEILING,
    "layers=image/bilinear/power-pool/norm width=36 size=5 batch=3"
    " loss=huber rule=adamw dynamic=False dtype=float64": CEILING,
    "layers=image/bilinear/power-pool/norm width=13 size=5 batch=5"
    " loss=huber rule=sgd dynamic=False dtype=float32": CEILING,
    "layers=image/power-pool/max-pool/where width=20 size=9 batch=5"
    " loss=margin rule=adamw dynamic=True dtype=float32": CEILING,
}
