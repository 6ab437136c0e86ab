"""What all tests share: one Hypothesis profile and a strict way to need a framework."""

from __future__ import annotations

import importlib.util
import os

import pytest
from hypothesis import settings

# Compilation trips any deadline; the only place where it is switched off for our own tests.
settings.register_profile("symmetry", deadline=None, print_blob=False)
settings.load_profile("symmetry")


def needs(module: str) -> pytest.MarkDecorator:
    """Skip without the framework on a user's machine; in CI let the import fail loudly."""
    missing = importlib.util.find_spec(module) is None
    if missing and os.environ.get("CI_FRAMEWORKS"):
        raise RuntimeError(f"{module} must be installed where CI_FRAMEWORKS is set")
    return pytest.mark.skipif(missing, reason=f"{module} is not installed")
