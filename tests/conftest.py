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

# Set where the libraries must be there: then nothing is skipped for want of one.
FRAMEWORKS = bool(os.environ.get("CI_FRAMEWORKS"))


def needs(module: str) -> pytest.MarkDecorator:
    """Skip without the library on a user's machine; in CI let the import fail loudly.

    ``pytest -m needs`` runs what is skipped elsewhere, and nothing else.
    """
    if FRAMEWORKS and not _is_there(module):
        raise RuntimeError(f"{module} must be installed where CI_FRAMEWORKS is set")
    return pytest.mark.needs(module)


def _is_there(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def pytest_configure(config: pytest.Config) -> None:
    """Register the mark of what needs a library."""
    config.addinivalue_line("markers", "needs(module): it is skipped without this library")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs a library that is not installed."""
    for item in items:
        needed = [str(mark.args[0]) for mark in item.iter_markers("needs")]
        if missing := next((module for module in needed if not _is_there(module)), None):
            item.add_marker(pytest.mark.skip(reason=f"{missing} is not installed"))
