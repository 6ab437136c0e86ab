"""Recording a step: the operation that tells units apart is named, with its line."""

from __future__ import annotations

from symmetry import explain
from tests.conftest import needs
from tests.jax.faulty import clipping_leaves_out_the_last_column

pytestmark = needs("jax")


def test_the_operation_that_treats_one_unit_differently_is_named():
    found = explain(clipping_leaves_out_the_last_column)
    (culprit,) = found.culprits
    assert culprit.operation == "scatter"
    assert culprit.file.endswith("tests/jax/faulty.py")
    assert "raises" not in " ".join(culprit.evidence)
