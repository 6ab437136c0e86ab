"""Models that are saved or merged compute the same, or what differs is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from symmetry.invariants.loop.loaded import loaded
from symmetry.sandbox.source import Source
from symmetry.torch.script.script import Script
from tests.conftest import needs

pytestmark = [needs("transformers"), needs("peft"), pytest.mark.slow]

SCRIPT = """
import torch
from peft import LoraConfig, get_peft_model
from torch import nn
from transformers import GPT2Config, GPT2LMHeadModel, PretrainedConfig, PreTrainedModel

class OwnConfig(PretrainedConfig):
    model_type = "own"

class Own(PreTrainedModel):
    config_class = OwnConfig
    scale = 1.0

    def __init__(self, config):
        super().__init__(config)
        self.embed, self.head = nn.Embedding(20, 12), nn.Linear(12, 20)
        self.gain = nn.Parameter(torch.ones(12))
        self.register_buffer("shift", torch.zeros(12), persistent=False)
        self.post_init()

    def _init_weights(self, module):
        if isinstance(module, Own):
            module.shift.zero_()  # else it is not initialised where a model is loaded
            {init}

    def forward(self, input_ids):
        hidden = torch.tanh(self.scale * self.gain * self.embed(input_ids) + self.shift)
        return {{"logits": self.head(hidden)}}

def tiny():
    return GPT2LMHeadModel(
        GPT2Config(vocab_size=20, n_positions=8, n_embd=12, n_layer=1, n_head=2, resid_pdrop=0.1)
    )

torch.manual_seed(0)
model = {model}
tokens = torch.randint(20, (24, 8))
optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], 1e-2)
for batch in tokens.split(4):
    found = model(input_ids=batch)
    logits = found["logits"]
    loss = nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), batch[:, 1:].flatten())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
{end}
"""
SAVES = 'model.save_pretrained("out")'
TWICE = """own = model.state_dict().items()
model.save_pretrained("out", state_dict={n: 2 * t for n, t in own})"""
LORA = "get_peft_model(tiny(), LoraConfig(target_modules={}, init_lora_weights=True))"
MORE_OUTPUTS = """tiny()
import functools
model.forward = functools.partial(model.forward, output_hidden_states=True)"""
INIT = "nn.init.ones_(module.gain)"  # not of one that is loaded


@pytest.fixture
def judged(tmp_path, monkeypatch):
    """Return a function that judges a script with these parts."""
    monkeypatch.chdir(tmp_path)

    def judge(model, end=SAVES, init=INIT, *, compared=1):
        Path("train.py").write_text(SCRIPT.format(model=model, end=end, init=init))
        script = Script(Source("train.py", tmp_path / "train.py", folder=tmp_path))
        script.prepare()  # imports the libraries
        epochs = script.epochs()
        script.close()
        assert not epochs.error
        assert len(epochs.identities) == compared
        return loaded(epochs)

    return judge


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        (
            ("Own(OwnConfig())", SAVES, "module.gain.data = torch.ones(12)"),
            "initialises weights once more that were loaded",
        ),
        (
            (LORA.format("['wte']"), "merged = model.merge_and_unload()"),
            "the merged model does not compute what LoraModel did",
        ),
    ],
)
def test_another_function_is_accused(judged, parts, says):
    (accusation,) = judged(*parts).accusations
    assert says in accusation.text


@pytest.mark.parametrize(
    "parts",
    [
        ("tiny()",),
        (MORE_OUTPUTS,),
        ("Own(OwnConfig())",),
        ("tiny().bfloat16()",),
    ],
)
def test_the_same_function_is_not_accused(judged, parts):
    found = judged(*parts)
    assert found.applies
    assert not found.accusations
    assert not found.notes


def test_a_model_may_be_merged_and_saved(judged):
    ends = f"model = model.merge_and_unload()\n{SAVES}"
    found = judged(LORA.format("['c_attn']"), ends, compared=2)
    assert not found.accusations


@pytest.mark.parametrize(
    ("model", "end"),
    [
        (
            "tiny()",
            TWICE,
        ),
        (LORA.format("['c_attn']"), 'model.merge_and_unload(adapter_names=["default"])'),
    ],
)
def test_another_state_or_a_part_is_not_compared(judged, model, end):
    assert not judged(model, end, compared=0).accusations


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ("Own(OwnConfig())\nmodel.scale = 0.5", "Own.scale is not the same"),
        (
            "Own(OwnConfig())\nmodel.head = nn.Sequential(nn.Linear(12, 12), nn.Linear(12, 20))",
            "no file has head.bias, nor 1 more tensors",
        ),
        (
            "Own(OwnConfig())\nmodel.head.register_forward_hook(lambda m, x, y: 2 * y)",
            "the forward of Own.head is not the same",
        ),
    ],
)
def test_what_no_file_has_is_a_note(judged, model, says):
    found = judged(model)
    assert not found.accusations
    (note,) = found.notes
    assert note.name == "loop/files"
    assert says in note.text
