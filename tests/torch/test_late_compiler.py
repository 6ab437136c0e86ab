"""The stand-in for torch._dynamo: optimisers do without the module, and all else gets it."""

from __future__ import annotations

import subprocess
import sys

import pytest

BEFORE = """
import sys
import torch
from symmetry.torch.compiler import frames
from symmetry.torch.late_compiler import delay_compiler

delay_compiler()
weight = torch.zeros(1, requires_grad=True)
optimizer = torch.optim.Adam([weight], lr=0.5)
weight.grad = torch.ones(1)
optimizer.step()
assert abs(weight.item() + 0.5) < 1e-6
assert "torch._dynamo.utils" not in sys.modules and frames() == 0
held = sys.modules["torch._dynamo"]
"""
# Whoever holds the stand-in has the module by it, and what was hidden from nobody is hidden now.
AFTER = """
module = sys.modules["torch._dynamo"]
assert module is not held and torch._dynamo is module
assert held.disable is module.disable and held.graph_break is module.graph_break
add = torch.optim.Optimizer.add_param_group.__wrapped__
assert not hasattr(add, "__dynamo_disable")
torch.optim.SGD([weight])
assert getattr(add, "__dynamo_disable") is not add
"""
TAKING = """
import torch._dynamo.utils as utils
assert utils is sys.modules["torch._dynamo.utils"] and utils.__spec__.origin == utils.__file__
assert utils.counters is not None
"""
COMPILING = """
model = torch.compile(torch.nn.Linear(1, 1), backend="eager")
model(torch.ones(1, 1)).backward()
optimizer.step()
assert frames() == 1
"""


@pytest.mark.slow  # a process that imports the compiler
@pytest.mark.parametrize(
    "use",
    [
        "from torch._dynamo import allow_in_graph",
        TAKING,
        COMPILING,
        "torch._dynamo.config.suppress_errors = True",
        "torch.compiler.disable(lambda: None)()",
        "import torch._dynamo as other; other.new = 1; assert other.new == 1",
    ],
    ids=["from", "part", "compile", "config", "disable", "set"],
)
def test_all_but_the_optimisers_get_the_module(use):
    done = subprocess.run(
        [sys.executable, "-c", f"{BEFORE}{use}\n{AFTER}"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
