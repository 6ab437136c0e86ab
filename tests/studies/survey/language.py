"""Trainings of the model types of transformers, each tiny."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import torch
import transformers
from torch import nn
from transformers import PreTrainedModel
from transformers.models.auto import modeling_auto
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from tests.studies.survey import kept
from tests.studies.survey.feeding.batch import Feeding
from tests.studies.survey.feeding.drawn import CLASSES, SAMPLES, Batch, integers
from tests.studies.survey.feeding.headed import Headed
from tests.studies.survey.feeding.trials import all_feedings
from tests.studies.survey.kept import NotBuiltError
from tests.studies.survey.tiny import tiny, words

transformers.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
LIBRARY = "transformers"
LARGEST = 3_000_000  # parameters
_TASKS = words(  # the first that a model type has
    "SPEECH_SEQ_2_SEQ SEQ_TO_SEQ_CAUSAL_LM MASKED_LM CAUSAL_LM IMAGE_CLASSIFICATION CTC "
    "AUDIO_CLASSIFICATION IMAGE_TEXT_TO_TEXT MASKED_IMAGE_MODELING SEMANTIC_SEGMENTATION "
    "VIDEO_CLASSIFICATION SEQUENCE_CLASSIFICATION PRETRAINING MULTIMODAL_LM"
)
_CHANGES: tuple[Mapping[str, Any], ...] = (  # of the rules, where they do not build
    {},
    {"wide": True},
    {"rope": True},
    {"layers": 2},
    {"image_size": 64},
    {"patch_size": 4},
    {"num_key_value_heads": 2},
    {"head_dim": 16, "hidden_size": 64, "layers": 2},
)
_BY_HAND: Mapping[str, Mapping[str, Any]] = {  # what no rule about names says
    "gpt_neo": {"attention_types": [[["global", "local"], 1]], "num_layers": 2, "window_size": 8},
    "aria": {"projector_patch_to_query_dict": {16: 4}},
    "fun_asr_nano": {"num_mel_bins": 112},
    "glmasr": {"intermediate_size": 64},  # in which rows are joined
    "kosmos-2.5": {"patch_embed_hidden_size": 192},
    "moss_transcribe_diarize": {"intermediate_size": 64},
    "musicflamingo": {"intermediate_size": 64},
    "qwen3_asr": {"n_window": 8},
    "swinv2": {"depths": [2, 1, 1, 1]},  # the second block has shifted windows
    "voxtral": {"intermediate_size": 64},
    "big_bird": {"num_random_blocks": 1},
    "bigbird_pegasus": {"num_random_blocks": 1},
}


@dataclass(frozen=True)
class Recipe:
    """One way to make a model type tiny, to feed it and to train it."""

    kind: str
    feeding: Feeding
    changes: Mapping[str, Any] = field(default_factory=dict)
    headed: bool = False  # a head of ours learns, since the model has no loss

    @classmethod
    def read(cls, kind: str, task: str, kept: Mapping[str, Any]) -> Recipe:
        """Return a recipe as it is kept."""
        feeding = Feeding(task, kept["forms"], kept["places"])
        return cls(kind, feeding, kept["changes"], kept["headed"])

    def kept(self) -> dict[str, Any]:
        """Return the recipe as it is to be kept."""
        return {
            "changes": dict(self.changes),
            "forms": dict(self.feeding.forms),
            "places": dict(self.feeding.places),
            "headed": self.headed,
        }

    def model(self) -> PreTrainedModel:
        """Return a fresh model; its attention is the eager one."""
        config = tiny(CONFIG_MAPPING[self.kind](), {**_BY_HAND.get(self.kind, {}), **self.changes})
        config._attn_implementation = "eager"
        if getattr(config, "decoder_start_token_id", None) is None:
            config.decoder_start_token_id = 1
        if self.feeding.task == "CAUSAL_LM" and hasattr(config, "is_decoder"):
            config.is_decoder = True
        name = name_of(self.kind, self.feeding.task)
        model: PreTrainedModel = getattr(transformers, str(name))(config)
        for module in model.modules():  # some take it from elsewhere than their configuration
            if isinstance(getattr(module, "mrope_section", None), list | tuple):
                module.mrope_section = [2, 1, 1]  # type: ignore[assignment]
        return model.train()

    def training(self) -> Any:
        """Return model, step and batches."""
        model = self.model()
        wants = inspect.signature(model.forward).parameters
        extra = {"use_cache": False} if "use_cache" in wants else {}

        def batch(i: int) -> Batch:
            made = self.feeding.batch(model, i)
            return made | ({"classes": integers(CLASSES, SAMPLES, seed=i)} if self.headed else {})

        trained: nn.Module = model
        if self.headed:
            bare = self.feeding.joined(batch(0))
            bare.pop("classes")
            trained = Headed(model, bare, extra)
        parameters = [each for each in trained.parameters() if each.requires_grad]
        optimizer = torch.optim.AdamW(parameters, 1e-3)

        def step(batch: Batch) -> None:
            optimizer.zero_grad()
            given = self.feeding.joined(batch)
            if isinstance(trained, Headed):
                loss = trained.loss(given, given.pop("classes"))
            else:
                loss = model(**given, **extra).loss
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()

        return trained, step, {"batch": batch}


def model_types() -> dict[str, str]:
    """Return the model types with their tasks; of those that share a class, the one it is of."""
    sharing: dict[str, list[tuple[str, str]]] = {}
    for kind in CONFIG_MAPPING:
        for task in (*_TASKS, "BASE"):
            if name := name_of(kind, task):
                sharing.setdefault(name, []).append((kind, task))
                break
    tasks = {name: dict(kinds) for name, kinds in sharing.items()}
    owners = {name: owner(name, [*kinds]) for name, kinds in tasks.items()}
    return {kind: tasks[name][kind] for name, kind in owners.items()}


def owner(name: str, kinds: Sequence[str]) -> str:
    """Return the model type that a class is named after, or the first of those that share it."""
    return next((kind for kind in kinds if name.lower().startswith(_letters(kind))), kinds[0])


def trainings() -> Iterator[tuple[str, Callable[[], Any]]]:
    """Yield the name and the training of each model type; nothing is built before it is called."""
    for kind, task in model_types().items():
        if kept.is_built(LIBRARY, kind):
            yield kind, _training(kind, task)


def recipe_of(kind: str, task: str) -> Recipe:
    """Return the recipe that is kept, or the first one that works."""
    if (known := kept.recipes(LIBRARY).get(kind)) is None:
        return find_recipe(kind, task)
    if isinstance(known, str):
        raise NotBuiltError(known)
    return Recipe.read(kind, task, known)


@cache
def find_recipe(kind: str, task: str) -> Recipe:
    """Return the recipe that leaves the fewest parameters without gradient.

    The first changes of the rules with which a model takes two steps, and stays finite, are kept.

    Raises
    ------
    NotBuiltError
        If there is none.
    """
    first: Exception | None = None
    for changes in _CHANGES:
        found: list[tuple[int, Recipe]] = []
        for headed in (True,) if task == "BASE" else (False, True):
            try:
                plain = Recipe(kind, Feeding(task), changes, headed)
                _refuse_large(plain)
                feedings = list(all_feedings(plain.model(), task))
            except Exception as error:  # whatever a model thinks of its sizes
                first = first or error
                continue
            for feeding in feedings:
                recipe = Recipe(kind, feeding, changes, headed)
                try:
                    found.append((_silent(recipe), recipe))
                except TimeoutError:
                    raise
                except Exception as error:
                    first = first or error
            if found:
                return min(found, key=lambda each: each[0])[1]
    raise NotBuiltError(f"{type(first).__name__}: {first}")


def _refuse_large(recipe: Recipe) -> None:
    with torch.device("meta"):  # where parameters take no memory
        size = sum(each.numel() for each in recipe.model().parameters())
    if size > LARGEST:
        raise ValueError(f"{size} parameters")


def _silent(recipe: Recipe) -> int:
    """Take two steps; return how many parameters get no gradient, or zeros."""
    torch.manual_seed(0)
    model, step, extras = recipe.training()
    for i in range(2):
        step(extras["batch"](i))
    if not all(each.isfinite().all() for each in model.parameters()):
        raise ValueError("it does not stay finite")
    gradients = [each.grad for each in model.parameters() if each.requires_grad]
    return sum(each is None or not each.any() for each in gradients)


def try_all(names: Sequence[str] = ()) -> None:
    """Find the recipe of each model type, and keep it; with names, of these anew."""
    types = model_types()
    kept.try_all(
        LIBRARY,
        names or [*types],
        lambda kind: find_recipe(kind, types[kind]).kept(),
        bool(names),
        available=len(CONFIG_MAPPING),
    )


def _training(kind: str, task: str) -> Callable[[], Any]:
    def training() -> Any:
        recipe = recipe_of(kind, task)
        torch.manual_seed(0)  # what the trials drew must not matter
        return recipe.training()

    training.__name__ = training.__qualname__ = kind
    return training


def name_of(kind: str, task: str) -> str | None:
    """Return the name of the class of a model type for a task, or none; import nothing."""
    which = "MODEL" if task == "BASE" else f"MODEL_FOR_{task}"
    found = getattr(modeling_auto, f"{which}_MAPPING_NAMES").get(kind)
    return found[0] if isinstance(found, list | tuple) else found


def _letters(kind: str) -> str:
    return kind.replace("_", "").replace("-", "")
