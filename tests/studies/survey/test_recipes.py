"""Models are tiny, their batches fit, and nothing is built before it is asked for."""

from __future__ import annotations

import pytest

from tests.conftest import needs

pytestmark = [needs("transformers"), needs("timm")]


def test_a_configuration_becomes_tiny() -> None:
    from transformers import LlamaConfig, SwinConfig

    from tests.studies.survey.tiny import tiny

    config = tiny(LlamaConfig(), {})
    assert (config.vocab_size, config.hidden_size, config.num_hidden_layers) == (30, 16, 1)
    assert (config.num_attention_heads, config.num_key_value_heads, config.head_dim) == (2, 2, 8)
    assert tiny(LlamaConfig(), {"layers": 2}).num_hidden_layers == 2
    stages = tiny(SwinConfig(), {})
    assert (stages.depths, stages.num_heads) == ((1, 1, 1, 1), (2, 2, 2, 2))


def test_there_are_at_least_four_hundred_model_types_and_no_class_twice() -> None:
    from tests.studies.survey.language import model_types, name_of

    found = model_types()
    names = [name_of(kind, task) for kind, task in found.items()]
    assert len(found) >= 400
    assert len(names) == len(set(names))


@pytest.mark.parametrize("kind", ["llama", "bert", "t5", "vit", "wav2vec2", "mixtral", "clip"])
def test_a_model_type_is_trained(kind: str) -> None:
    import torch

    from tests.studies.survey.language import model_types, recipe_of

    model, step, extras = recipe_of(kind, model_types()[kind]).training()
    batch = extras["batch"]
    again = batch(1)
    assert all(torch.equal(value, again[name]) for name, value in batch(1).items())
    assert {len(value) for value in again.values()} == {2}
    before = [each.detach().clone() for each in model.parameters()]
    step(again)
    moved = (not torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    assert any(moved)


def test_a_mask_hides_tokens_that_nothing_is_learned_from() -> None:
    from tests.studies.survey.language import model_types, recipe_of

    _, _, extras = recipe_of("llama", model_types()["llama"]).training()
    batch = extras["batch"](1)
    assert batch["attention_mask"].tolist() == [[1] * 16, [1] * 12 + [0] * 4]
    assert ((batch["labels"] == -100) == (batch["attention_mask"] == 0)).all()


def test_a_model_that_reads_both_ways_guesses_words_that_it_is_not_given() -> None:
    from tests.studies.survey.language import model_types, recipe_of

    _, _, extras = recipe_of("bert", model_types()["bert"]).training()
    batch = extras["batch"](0)
    asked = batch["labels"] != -100
    assert asked.any(1).all()
    assert (batch["input_ids"] != batch["labels"])[asked].all()
    assert len(batch["input_ids"][asked].unique()) == 1


@pytest.mark.parametrize("kind", ["trocr", "bart"])
def test_a_decoder_is_given_the_label_before(kind: str) -> None:
    from tests.studies.survey.language import model_types, recipe_of

    _, _, extras = recipe_of(kind, model_types()[kind]).training()
    batch = extras["batch"](0)
    given = batch["decoder_input_ids" if kind == "bart" else "input_ids"]
    shown = batch["labels"][:, 1:] != -100
    assert shown.sum() > 10
    assert (given[:, 1:] == batch["labels"][:, :-1])[shown].all()


@pytest.mark.parametrize(
    ("kind", "part"),
    [
        ("llava", "vision_tower"),
        ("qwen2_vl", "visual"),
        ("idefics3", "vision_model"),
        ("qwen2_audio", "audio_tower"),
    ],
)
def test_a_part_beside_text_is_trained(kind: str, part: str) -> None:
    from tests.studies.survey.language import model_types, recipe_of

    model, step, extras = recipe_of(kind, model_types()[kind]).training()
    batch = extras["batch"](0)
    assert {len(value) for value in batch.values()} == {2}
    step(batch)
    [found] = [module for name, module in model.named_modules() if name.endswith(part)]
    gradients = [p.grad is not None and bool(p.grad.any()) for p in found.parameters()]
    assert sum(gradients) > len(gradients) / 2


def test_a_module_without_gradient_has_a_cause() -> None:
    import torch
    from torch import nn

    from tests.studies.survey.causes import CUT, FLAT, UNUSED, causes

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.unused, self.flat, self.cut = (nn.Linear(3, 3) for _ in range(4))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.unused(x)
            one_key = self.flat(x)[..., None].softmax(-1).squeeze(-1)
            return self.used(x) * one_key * self.cut(x).detach()

    def training():
        torch.manual_seed(0)
        model = Model()
        optimizer = torch.optim.SGD(model.parameters(), 0.1)

        def step(batch):
            optimizer.zero_grad()
            model(batch["x"]).square().sum().backward()
            optimizer.step()

        return model, step, {"batch": lambda i: {"x": torch.ones(2, 3)}}

    found = causes(training, ["unused", "flat", "cut"])
    assert found == {"unused": UNUSED, "flat": FLAT, "cut": CUT}


def test_a_part_that_is_not_fed_is_the_cause() -> None:
    from tests.studies.survey.causes import NEVER_FED, causes
    from tests.studies.survey.feeding.batch import Feeding
    from tests.studies.survey.language import Recipe, model_types

    recipe = Recipe("llava", Feeding(model_types()["llava"]))
    found = causes(recipe.training, ["model.vision_tower"])
    assert found == {"model.vision_tower": NEVER_FED}


def test_a_head_of_ours_learns_nothing_from_hidden_tokens() -> None:
    import torch

    from tests.studies.survey.language import model_types, recipe_of

    recipe = recipe_of("clip_text_model", model_types()["clip_text_model"])
    assert recipe.headed
    model, _, extras = recipe.training()
    given = extras["batch"](1)
    classes, hidden = given.pop("classes"), given["attention_mask"] == 0
    other = given["input_ids"].masked_fill(hidden, 5)
    assert not torch.equal(other, given["input_ids"])
    model.eval()
    losses = (model.loss(given | {"input_ids": t}, classes) for t in (given["input_ids"], other))
    assert torch.equal(*losses)
    assert model(**given).shape == (2, 16, 5)


def test_a_module_of_timm_is_trained() -> None:
    from tests.studies.survey.images import trainings

    model, step, extras = dict(trainings())["timm.resnet"]()
    step(extras["batch"](0))
    assert sum(each.numel() for each in model.parameters()) < 3_000_000


def test_a_training_starts_from_the_same_weights_every_time() -> None:
    import torch

    from tests.studies.survey.targets import trainings

    for name in ("bert", "timm.resnet"):
        training = dict(trainings())[name]
        first, second = training()[0], training()[0]
        assert all(map(torch.equal, first.parameters(), second.parameters()))


def test_what_cannot_be_built_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.studies.survey import language

    monkeypatch.setattr(language, "LARGEST", 10)
    with pytest.raises(language.NotBuiltError, match="parameters"):
        language.find_recipe("opt", "CAUSAL_LM")


def test_targets_are_named_and_not_built() -> None:
    from tests.studies.survey.targets import trainings

    names = [name for name, _ in trainings()]
    assert "llama" in names
    assert "timm.vision_transformer" in names
    assert len(names) == len(set(names))
