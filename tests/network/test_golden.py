"""The pinned trainings: same bits as ever, and the small ones the oracle's bits too."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from symmetry.network import core, descent, kernels
from symmetry.network.descent import update
from tests.network import golden, oracle

REPORT = Path(golden.__file__).parents[2] / "reports" / "mnist.json"


def names(cases):
    """Mark long cases, and large ones of the full network in float64: small ones are like them."""
    for case in cases:
        large = case.name.startswith("MNIST") and (case.dtype, case.network) == ("float64", "full")
        large |= case.iterations > 10
        yield pytest.param(case, id=case.name, marks=[pytest.mark.slow] * large)


@pytest.mark.parametrize("case", [*names(golden.ALL[:-1])])
def test_case_has_its_golden_bits(case):
    assert case.run() == golden.pinned()[case.name]


def test_table_holds_these_cases_and_no_others():
    assert list(golden.pinned()) == [case.name for case in golden.ALL]


def test_no_two_cases_come_to_the_same():
    first_weights = [next(iter(results.values())) for results in golden.pinned().values()]
    assert len(set(first_weights)) == len(first_weights)


def test_committed_report_holds_the_golden_bits():
    report, expected = json.loads(REPORT.read_text()), golden.pinned()[golden.EXPERIMENT.name]
    assert report["weights"] == {f"{name}_sha256": expected[name] for name in ("w1", "w2")}
    assert [point["loss"] for point in report["history"]] == [
        float.fromhex(loss) for loss in expected["losses"].split()
    ]


def train_by_the_oracle(case):
    """Return what `Case.run` returns, from plain loops."""
    (x, labels), _, weights = case.start()

    def gradient(weights):
        if case.network == "full":
            return oracle.gradient(x, labels, *weights)
        loss, gradients = oracle.collapsed_gradient(x, labels, *weights, case.hidden)
        return loss, gradients, None

    losses, (_, gradients, _) = [], gradient(weights)
    for _ in range(case.iterations):
        weights = update(weights, gradients, case.problem.lr)
        loss, gradients, predictions = gradient(weights)
        losses.append(loss.hex())
    keys = ("w1", "w2") if case.network == "full" else ("u", "b", "v")
    result = dict(zip(keys, map(golden.digest, weights), strict=True))
    if predictions is not None:
        result["predictions"] = golden.digest(np.array(predictions))
    return {**result, "losses": " ".join(losses)}


@pytest.mark.slow
@pytest.mark.parametrize("case", golden.MADE, ids=lambda case: case.name)
def test_tiles_of_another_processor_change_no_bit(case, other_kernels, monkeypatch):
    assert other_kernels.PANEL_BYTES != kernels.PANEL_BYTES
    assert other_kernels.TILES != kernels.TILES
    for module in core, descent:
        monkeypatch.setattr(module, "kernels", other_kernels)
    assert case.run() == golden.pinned()[case.name]


def small(cases):
    """Yield those for which plain loops take seconds at most; more than one second is slow."""
    for case in cases:
        problem = case.problem
        hidden = case.hidden if case.network == "full" else 1
        products = problem.n * (problem.inputs * hidden + hidden * problem.classes)
        if products < 100_000:
            marks = [pytest.mark.slow] * (products > 20_000)
            yield pytest.param(case, id=case.name, marks=marks)


@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid")
@pytest.mark.parametrize("case", [*small(golden.MADE)])
def test_oracle_comes_to_the_golden_bits(case):
    expected = golden.pinned()[case.name]
    by_loops = train_by_the_oracle(case)
    assert by_loops == {key: expected[key] for key in by_loops}
