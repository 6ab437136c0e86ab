"""Trainings of the modules of timm, each with one small model."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any
from unittest import mock

import timm
import torch
from torch import Tensor, nn

from tests.studies.survey import kept
from tests.studies.survey.feeding.drawn import CLASSES, SAMPLES, integers, numbers
from tests.studies.survey.kept import NotBuiltError
from tests.studies.survey.language import LARGEST
from tests.studies.survey.tiny import WIDTHS, words

_SMALL = words(  # in the names of models: the smallest first
    "test_ atto femto pico nano xxs _xs 050 035 tiny _t_ _s0 _m0 _b0 _s1 18 _t0 small _s 26 lite "
    "s12 _c _9 19 11 14"
)
_WHAT = (("width", "heads", "depth"), ("width", "depth"), ("depth",), ("width",), ())
_DEPTHS = {"depth", "depths", "layers", "num_blocks", "blocks", "stage_depths"}
_WIDTHS = words(
    "embed_dim embed_dims dims dim channels hidden_dims num_channels embed_dim_list stage_dims "
    "width planes base_width stem_width growth_rate widths hidden_dim num_features "
    "head_hidden_size"
)
_SIZES = (64, 32, 224)
_ALTERNATING = {  # modules whose second block differs from the first: its windows are shifted, say
    "gcvit",
    "swin_transformer",
    "swin_transformer_v2",
    "swin_transformer_v2_cr",
    "twins",
}
LIBRARY = "timm"


def trainings() -> Iterator[tuple[str, Callable[[], Any]]]:
    """Yield the name and the training of each module; nothing is built before it is called."""
    for module in timm.list_modules():
        if kept.is_built(LIBRARY, module):
            yield f"timm.{module}", _training(module)


def try_all(names: Sequence[str] = ()) -> None:
    """Find the recipe of each module, and keep it; with names, of these anew."""
    modules = timm.list_modules()
    kept.try_all(LIBRARY, names or modules, _find_recipe, bool(names), available=len(modules))


def _training(module: str) -> Callable[[], Any]:
    def training() -> Any:
        recipe = _recipe_of(module)
        torch.manual_seed(0)  # what the trials drew must not matter
        return _trained(module, *recipe)

    training.__name__ = training.__qualname__ = module
    return training


def _trained(module: str, name: str, what: tuple[str, ...], size: int) -> Any:
    model = _model(module, name, what, size).train()
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)

    def step(batch: tuple[Tensor, Tensor]) -> None:
        optimizer.zero_grad()
        out = model(batch[0])
        out = out[0] if isinstance(out, tuple | list) else out
        nn.functional.cross_entropy(out, batch[1]).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    def batch(i: int) -> tuple[Tensor, Tensor]:
        return numbers(SAMPLES, 3, size, size, seed=i), integers(CLASSES, SAMPLES, seed=i)

    return model, step, {"batch": batch}


def _recipe_of(module: str) -> tuple[str, tuple[str, ...], int]:
    """Return the recipe that is kept, or the first one that works."""
    if (known := kept.recipes(LIBRARY).get(module)) is None:
        return _find_recipe(module)
    if isinstance(known, str):
        raise NotBuiltError(known)
    name, what, size = known
    return name, tuple(what), size


@cache
def _find_recipe(module: str) -> tuple[str, tuple[str, ...], int]:
    """Return the first model of a module, what is made small in it, and the size of its images.

    Raises NotBuiltError if nothing is small enough and takes two finite steps.
    """
    first: Exception | None = None
    for name in sorted(timm.list_models(module=module), key=_rank)[:4]:
        for what in _WHAT:
            for size in _SIZES:
                try:
                    torch.manual_seed(0)
                    parameters = _model(module, name, what, size).parameters()
                    if (count := sum(each.numel() for each in parameters)) > LARGEST:
                        raise ValueError(f"{count} parameters")
                    model, step, extras = _trained(module, name, what, size)
                    for i in range(2):
                        step(extras["batch"](i))
                    if not all(each.isfinite().all() for each in model.parameters()):
                        raise ValueError("it does not stay finite")
                except TimeoutError:
                    raise
                except Exception as error:  # whatever a model thinks of its sizes
                    first = first or error
                else:
                    return name, what, size
    raise NotBuiltError(f"{type(first).__name__}: {first}")


def _model(module: str, name: str, what: tuple[str, ...], size: int) -> nn.Module:
    """Return a model; what timm gives to its class is made smaller on the way."""
    file = importlib.import_module(f"timm.models.{module}")
    build = getattr(file, "build_model_with_cfg", None)
    first = 2 if module in _ALTERNATING else 1

    def smaller(kind: Any, *given: Any, **options: Any) -> Any:
        for parameter in inspect.signature(kind).parameters.values():
            value = options.get(parameter.name, parameter.default)
            if (new := _smaller(parameter.name, value, what, size, first)) != value:
                options[parameter.name] = new
        return build(kind, *given, **options)  # type: ignore[misc]

    with mock.patch.object(file, "build_model_with_cfg", smaller, create=True):
        return timm.create_model(name, num_classes=CLASSES)


def _smaller(name: str, value: Any, what: tuple[str, ...], size: int, first: int) -> Any:
    """Return what an option of a model's class becomes, by its name.

    ``first`` is the most blocks of the first stage; other stages have one.
    """
    if name in ("img_size", "image_size"):
        return size
    several = isinstance(value, tuple | list)
    values = list(value) if several else [value]
    if not values or not all(isinstance(v, int) and not isinstance(v, bool) for v in values):
        return value
    if "depth" in what and (name in _DEPTHS or name.endswith("depths")):
        new = [min(v, 1 if stage else first) for stage, v in enumerate(values)]
    elif "heads" in what and "head" in name and not {"dim", "hidden"} & set(name.split("_")):
        new = [min(v, 2) for v in values]
    elif "width" in what and name in _WIDTHS:
        staged = several and len(set(values)) > 1
        new = list(WIDTHS[: len(values)]) if staged else [min(v, 32) for v in values]
    elif "width" in what and name == "patch_size":
        new = [min(v, 8) for v in values]
    elif name == "window_size" and not several:
        new = [4]
    else:
        return value
    return type(value)(new) if several else new[0]


def _rank(name: str) -> tuple[int, int]:
    return next((n for n, part in enumerate(_SMALL) if part in name), len(_SMALL)), len(name)
