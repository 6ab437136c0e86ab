"""The recipes that were found: to try them all takes longer than to check what they make.

``python -m tests.studies.survey --recipes`` tries them and writes the file. It counts only for the
versions of the libraries that it was made with.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("recipes.json")
_SECONDS = 60  # in which a recipe must be found


class NotBuiltError(Exception):
    """No way to make the model tiny works; the message has the first error."""


@cache
def recipes(library: str) -> dict[str, Any]:
    """Return the kept recipes of a library's models by name; a text is why there is none."""
    found = _read().get(library, {})
    return dict(found["recipes"]) if found.get("version") == version(library) else {}


def available(library: str) -> int:
    """Return how many models the library has, which are more than those that can be tried."""
    return int(_read().get(library, {}).get("available", 0))


def is_built(library: str, name: str) -> bool:
    """Return whether a model can be built, as far as it was tried."""
    return not isinstance(recipes(library).get(name), str)


def try_all(
    library: str,
    names: Sequence[str],
    find: Callable[[str], Any],
    again: bool = False,
    *,
    available: int,
) -> None:
    """Find the recipes that are not kept, or all again; keep each as soon as it is there."""
    known = recipes(library)
    for number, name in enumerate(names, 1):
        if name in known and not again:
            continue
        try:
            with _within(_SECONDS):
                known[name] = find(name)
        except NotBuiltError as error:
            known[name] = str(error)
        except TimeoutError:
            known[name] = f"no recipe within {_SECONDS} seconds"
        print(f"{library} {number} of {len(names)}: {name}: {known[name]}", flush=True)
        kept = {
            "version": version(library),
            "available": available,
            "recipes": dict(sorted(known.items())),
        }
        FILE.write_text(json.dumps({**_read(), library: kept}, indent=1) + "\n", "utf-8")


def _read() -> dict[str, Any]:
    return json.loads(FILE.read_text("utf-8")) if FILE.exists() else {}


@contextmanager
def _within(seconds: int) -> Iterator[None]:
    def stop(*_: object) -> None:
        raise TimeoutError

    signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
