"""What all tests share: one Hypothesis profile and a strict way to need a framework."""

from __future__ import annotations

import importlib.util
import os
import signal

import pytest
from hypothesis import settings

# Compilation trips any deadline; the only place where it is switched off for our own tests.
settings.register_profile("symmetry", deadline=None, print_blob=False)
settings.load_profile("symmetry")

# A shell lets what it runs in the background ignore Ctrl-C, and so would all that the tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Set where the frameworks must be there: then nothing is skipped for want of one, and only the
# tests that need one are run, since all the others have been run without.
FRAMEWORKS = bool(os.environ.get("CI_FRAMEWORKS"))


def needs(module: str) -> pytest.MarkDecorator:
    """Skip without the library on a user's machine; in CI let the import fail loudly."""
    missing = importlib.util.find_spec(module) is None
    if missing and FRAMEWORKS:
        raise RuntimeError(f"{module} must be installed where CI_FRAMEWORKS is set")
    return pytest.mark.skipif(missing, reason=f"{module} is not installed")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests that need no framework, where that is asked for."""
    if FRAMEWORKS:
        others = [item for item in items if item.get_closest_marker("skipif") is None]
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if item not in set(others)]
