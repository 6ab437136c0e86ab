"""Pairs that are the same: sound trainings with settings turned, and attention by two functions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from symmetry import SymmetryError, compare
from symmetry.law.invariant import Invariant
from symmetry.training.start import TrainingStart
from symmetry.training.target import FunctionTraining
from tests.catalogues import TRAININGS
from tests.sound.trainings.steps import SOUND

LEAST = 45  # model types of transformers
Row = dict[str, Any]


def settings() -> tuple[Invariant, ...]:
    """Return the rows of what must not matter."""
    names = ["eager", "loops", "scale", "attention", "kernels", "threads"]
    return tuple(i for i in TRAININGS if i.name in {f"training/{name}" for name in names})


def turned() -> Iterator[Row]:
    """Yield what each setting does to each sound training, as it is written."""
    for name, make in SOUND.items():
        start = TrainingStart(FunctionTraining(name, make), "float32")
        assert start.baseline.state  # first as it is written: a compiler leaves out what modes saw
        for invariant in settings():
            found = invariant.measured(start)
            if found.applies:
                yield {
                    "training": name,
                    "setting": invariant.name,
                    "ratio": found.ratio,
                    "array": found.array,
                    "note": found.note,
                }


def attended() -> Iterator[Row]:
    """Yield how SDPA compares with eager attention, for model types that take a mask."""
    import transformers

    from tests.studies.survey.language import NotBuiltError, Recipe, model_types, recipe_of

    @dataclass(frozen=True)
    class Attending(Recipe):
        """A model without dropout that attends by a function of this name."""

        attention: str = "eager"

        def model(self) -> Any:
            model = super().model()
            for module in model.modules():
                _without_dropout(module)
            model.set_attn_implementation(self.attention)
            return model

    def training(recipe: Recipe, attention: str) -> Callable[[], Any]:
        return lambda: Attending(**vars(recipe), attention=attention).training()

    done = 0
    for kind, task in sorted(model_types().items()):
        if done == LEAST:
            return
        try:
            recipe = recipe_of(kind, task)
            model, _, extras = recipe.training()
            models = [m for m in model.modules() if isinstance(m, transformers.PreTrainedModel)]
            if "attention_mask" in extras["batch"](0) and all(m._supports_sdpa for m in models):
                yield {
                    "model": kind,
                    **_compared(*(training(recipe, a) for a in ("eager", "sdpa"))),
                }
                done += 1
        except NotBuiltError:
            continue


def _without_dropout(module: Any) -> None:
    for name, value in vars(module).items():
        if isinstance(value, float) and ("drop" in name or name == "p"):
            setattr(module, name, 0.0)


def _compared(eager: Callable[[], Any], sdpa: Callable[[], Any]) -> Row:
    try:
        (other,) = compare(eager, sdpa).others
    except SymmetryError as error:
        return {"same": None, "ratios": {}, "first": None, "note": str(error)}
    return {
        "same": other.same,
        "ratios": {result.dtype: result.ratio for result in other.results},
        "first": other.first and other.first.text,
        "note": other.error,
    }
