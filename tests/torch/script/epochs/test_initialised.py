"""Weights that loading leaves as they were initialised, and that nothing trains."""

from __future__ import annotations

import pytest

from tests.conftest import needs, slow
from tests.torch.script.epochs.helpers import run

LOADS = """
state = {{name: t.clone() for name, t in model.state_dict().items() if not {lacks}}}
model.load_state_dict(state, strict=False)
{then}
train()
"""
FREEZES = "optimizer.param_groups[0]['params'] = [*model[3].parameters()]"
FIRST = "name.startswith('0.')"
PRETRAINED = """
from transformers import BertConfig, BertForSequenceClassification, BertModel
config = BertConfig(vocab_size=9, hidden_size=8, num_hidden_layers=1, num_attention_heads=2)
{first}(config).save_pretrained("out")
model = {then}.from_pretrained("out")
tokens = torch.randint(9, (8, 5))
head = nn.Linear(8, 3)
optimizer = torch.optim.SGD({trains}, lr=0.1)
for _ in range(3):
    found = model(tokens)
    loss = (found[0].mean(1) if found[0].ndim > 2 else found[0]).square().mean()
    optimizer.zero_grad()
    (loss + head.weight.square().sum()).backward()
    optimizer.step()
"""


@pytest.mark.parametrize(
    ("lacks", "then", "names"),
    [
        (FIRST, FREEZES, ("0.weight", "0.bias")),
        slow(FIRST, "", ()),
        slow("'3' in name", FREEZES, ()),
        slow("name != '0.weight'", FREEZES, ()),
        slow(FIRST, f"model.load_state_dict(model.state_dict())\n{FREEZES}", ()),
        slow(FIRST, f"{FREEZES}\nmodel[0].weight.data += 1\nmodel[0].bias.data += 1", ()),
    ],
)
def test_a_layer_that_a_state_lacks_is_told_if_nothing_trains_it(folder, lacks, then, names):
    epochs = run(folder, LOADS.format(lacks=lacks, then=then))
    assert not epochs.error
    assert [each.names for each in epochs.initialised] == [names] * bool(names)


@needs("transformers")
@pytest.mark.slow
@pytest.mark.parametrize(
    ("first", "then", "trains", "names"),
    [
        (
            "BertModel",
            "BertForSequenceClassification",
            "head.parameters()",
            ("classifier.weight", "classifier.bias"),
        ),
        ("BertModel", "BertForSequenceClassification", "model.parameters()", ()),
        ("BertForSequenceClassification", "BertModel", "head.parameters()", ()),
    ],
)
def test_a_head_that_no_file_has_is_told_if_nothing_trains_it(folder, first, then, trains, names):
    import transformers.modeling_utils  # noqa: F401 (a check has begun the script before)

    epochs = run(folder, PRETRAINED.format(first=first, then=then, trains=trains))
    assert not epochs.error
    assert [each.names for each in epochs.initialised] == [names] * bool(names)
