"""Trainings of the model types of transformers, each tiny."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
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
from tests.studies.survey.batches import CLASSES, Batch, Headed, batch_of, integers
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


@dataclass(frozen=True)
class Recipe:
    """One way to make a model type tiny and to train it."""

    kind: str
    task: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    form: int = 0  # of sounds
    headed: bool = False  # a head of ours learns, since the model has no loss

    def model(self) -> PreTrainedModel:
        """Return a fresh model; its attention is the eager one."""
        config = tiny(CONFIG_MAPPING[self.kind](), self.changes)
        config._attn_implementation = "eager"
        if getattr(config, "decoder_start_token_id", None) is None:
            config.decoder_start_token_id = 1
        model: PreTrainedModel = getattr(transformers, name_of(self.kind, self.task))(config)
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
            made = batch_of(model, self.task, self.form, i)
            return made | ({"classes": integers(CLASSES, 2, seed=i)} if self.headed else {})

        if self.headed:
            bare = batch(0)
            bare.pop("classes")
            trained: nn.Module = Headed(model, bare, extra)
        else:
            trained = model
        parameters = [each for each in trained.parameters() if each.requires_grad]
        optimizer = torch.optim.AdamW(parameters, 1e-3)

        def step(given: Batch) -> None:
            optimizer.zero_grad()
            out = trained(**given) if self.headed else model(**given, **extra).loss
            out.backward()
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
    return dict(
        next((kind for kind in kinds if name.lower().startswith(_letters(kind[0]))), kinds[0])
        for name, kinds in sharing.items()
    )


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
    return Recipe(kind, task, **known)


@cache
def find_recipe(kind: str, task: str) -> Recipe:
    """Return the first recipe with which a model takes two steps, and stays finite.

    Raises NotBuiltError if there is none.
    """
    first: Exception | None = None
    for recipe in _recipes(kind, task):
        try:
            torch.manual_seed(0)
            with torch.device("meta"):  # where parameters take no memory
                size = sum(each.numel() for each in recipe.model().parameters())
            if size > LARGEST:
                raise ValueError(f"{size} parameters")
            model, step, extras = recipe.training()
            for i in range(2):
                step(extras["batch"](i))
            if not all(each.isfinite().all() for each in model.parameters()):
                raise ValueError("it does not stay finite")
        except TimeoutError:
            raise
        except Exception as error:  # whatever a model thinks of its sizes
            first = first or error
        else:
            return recipe
    raise NotBuiltError(f"{type(first).__name__}: {first}")


def try_all() -> None:
    """Find the recipe of each model type, and keep it."""

    def find(kind: str) -> dict[str, Any]:
        found = find_recipe(kind, types[kind])
        return {"changes": dict(found.changes), "form": found.form, "headed": found.headed}

    types = model_types()
    kept.try_all(LIBRARY, [*types], find)


def _training(kind: str, task: str) -> Callable[[], Any]:
    def training() -> Any:
        recipe = recipe_of(kind, task)
        torch.manual_seed(0)  # what the trials drew must not matter
        return recipe.training()

    training.__name__ = training.__qualname__ = kind
    return training


def _recipes(kind: str, task: str) -> Iterator[Recipe]:
    for headed in (True,) if task == "BASE" else (False, True):
        for form in range(3):
            for changes in _CHANGES[: 3 if form else None]:
                yield Recipe(kind, task, changes, form, headed)


def name_of(kind: str, task: str) -> str | None:
    """Return the name of the class of a model type for a task, or none; import nothing."""
    which = "MODEL" if task == "BASE" else f"MODEL_FOR_{task}"
    found = getattr(modeling_auto, f"{which}_MAPPING_NAMES").get(kind)
    return found[0] if isinstance(found, list | tuple) else found


def _letters(kind: str) -> str:
    return kind.replace("_", "").replace("-", "")
