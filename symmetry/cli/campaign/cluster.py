"""The workers of a Dask cluster, as an executor of ``concurrent.futures``."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Any

from symmetry.base.errors import SymmetryError
from symmetry.cli.screen import say
from symmetry.training import frameworks

_SECONDS = 20  # to find the scheduler
_PACKAGES = ("unit-symmetry", "numpy", "transformers", "timm")


@contextmanager
def connected(address: str) -> Iterator[Executor]:
    """Yield an executor on the workers of the cluster whose scheduler is at ``address``.

    Where an environment differs from the one here, that is said. A worker that dies costs a target
    one more try, on another worker.

    Raises
    ------
    SymmetryError
        If Dask is not installed, or nothing answers at the address.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise SymmetryError(
            f"--scheduler needs Dask: {error} (pip install 'unit-symmetry[cluster]')"
        ) from error
    try:
        client: Any = Client(address, timeout=_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise SymmetryError(f"no scheduler answers at {address}: {error}") from error
    with client:
        for text in differences(versions(), client.run(versions)):
            say(text)
        yield client.get_executor(pure=False, retries=1)


def versions() -> dict[str, str]:
    """Return the versions of what a verdict depends on."""
    found = {}
    for package in (*_PACKAGES, *frameworks.registered()):
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "none"
    return found


def differences(here: Mapping[str, str], there: Mapping[Any, Mapping[str, str]]) -> list[str]:
    """Return a line for each worker that has other versions than this process."""
    lines = []
    for worker, found in sorted(there.items()):
        other = [
            f"{name} {found[name]} ({here[name]} here)"
            for name in here
            if found[name] != here[name]
        ]
        lines += [f"the worker {worker} has {', '.join(other)}"] if other else []
    return lines
