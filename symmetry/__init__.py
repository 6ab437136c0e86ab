"""Find bugs in PyTorch and JAX training code without knowing the right result."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from symmetry.jax import framework as _jax
from symmetry.torch import framework as _torch

if TYPE_CHECKING:
    from symmetry.api import Comparison as Comparison
    from symmetry.api import Coverage as Coverage
    from symmetry.api import Explanation as Explanation
    from symmetry.api import Report as Report
    from symmetry.api import check as check
    from symmetry.api import check_model as check_model
    from symmetry.api import compare as compare
    from symmetry.api import explain as explain
    from symmetry.api import find_units as find_units
    from symmetry.api import record as record
    from symmetry.base.errors import SymmetryError as SymmetryError
    from symmetry.callbacks.lightning import LightningCallback as LightningCallback
    from symmetry.callbacks.transformers import TrainerCallback as TrainerCallback
    from symmetry.checker.progress import Progress as Progress
    from symmetry.checker.verdict import Verdict as Verdict
    from symmetry.law.case import Case as Case
    from symmetry.targets.script import script as script
    from symmetry.testing.invariants import parametrize_invariants as parametrize_invariants
    from symmetry.testing.trainings import check_training as check_training
    from symmetry.torch.relations import check_loss as check_loss

# Imported only when asked for: ``symmetry --help`` must stay quick, and torch may not be there.
_HOMES = {
    "Case": "symmetry.law.case",
    "Comparison": "symmetry.api",
    "Coverage": "symmetry.api",
    "Explanation": "symmetry.api",
    "Progress": "symmetry.checker.progress",
    "Report": "symmetry.api",
    "SymmetryError": "symmetry.base.errors",
    "Verdict": "symmetry.checker.verdict",
    "check": "symmetry.api",
    "check_model": "symmetry.api",
    "check_training": "symmetry.testing.trainings",
    "compare": "symmetry.api",
    "explain": "symmetry.api",
    "find_units": "symmetry.api",
    "record": "symmetry.api",
    "parametrize_invariants": "symmetry.testing.invariants",
    "script": "symmetry.targets.script",
}
# Those that need a library: ``from symmetry import *`` works without it.
_HOMES_BESIDE = {
    "LightningCallback": "symmetry.callbacks.lightning",
    "TrainerCallback": "symmetry.callbacks.transformers",
    "check_loss": "symmetry.torch.relations",
}
__all__ = [*_HOMES]

_torch.register()  # it imports PyTorch once a run begins
_jax.register()


def __getattr__(name: str) -> Any:
    """Import a public name from where it is defined."""
    homes = _HOMES | _HOMES_BESIDE
    if name not in homes:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(homes[name]), name)


def __dir__() -> list[str]:
    return [*globals(), *_HOMES, *_HOMES_BESIDE]
