"""The committed reports are what their rows say, and a row can be measured again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import needs
from tests.studies.heads.report import STUDIES, by_task, read, render

REPORTS = Path("reports")


@pytest.mark.parametrize("study", STUDIES)
def test_the_report_is_what_its_rows_say(study):
    rows = read(REPORTS / f"{study}.jsonl")
    assert len(rows) > 100
    assert render(study, rows).differences(REPORTS) == ()


def test_heads_are_counted_by_task():
    rows = [
        {"task": "MASKED_LM", "ratio": 1.01},
        {"task": "MASKED_LM", "ratio": 4.0},
        {"task": "CAUSAL_LM", "ratio": 1.0},
    ]
    assert by_task(rows) == [("masked lm", 2, 1, 1), ("causal lm", 1, 1, 0)]


@needs("transformers")
@needs("accelerate")
@pytest.mark.parametrize(
    ("name", "task", "ratio"),
    [
        ("BertForSequenceClassification", "SEQUENCE_CLASSIFICATION", 4.0),
        ("LlamaForCausalLM", "CAUSAL_LM", 1.0),
    ],
)
def test_accumulated_gradients_have_the_factor_of_the_report(name, task, ratio):
    from tests.studies.heads.accumulation import row_of
    from tests.studies.heads.heads import heads

    [head] = [head for head in heads((task,)) if head.name == name]
    row = row_of(head)
    assert row["ratio"] == pytest.approx(ratio, abs=1e-2)
    assert row["divided"] == pytest.approx(1, abs=1e-2)


@needs("transformers")
def test_packed_documents_act_on_each_other_with_a_cache():
    from tests.studies.heads.heads import heads
    from tests.studies.heads.packing import row_of

    [head] = [head for head in heads(("CAUSAL_LM",)) if head.name == "LlamaForCausalLM"]
    row = row_of(head)
    assert row["cached"] > 1e-6
    assert row["uncached"] == 0
