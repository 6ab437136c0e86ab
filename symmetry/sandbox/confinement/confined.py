"""A process in which the user's code runs: it confines itself, under a supervisor.

    confine()      it only writes below the mirrors, the caches and /dev from now on
    watch()        the supervisor sees its attempts
    refusal()      the error of a script whose writes were refused elsewhere

Two things of the kernel do so. Landlock refuses whatever is written elsewhere. Seccomp lets the
supervisor see the attempt, so that the answer can name the folder; where there is no Landlock, the
supervisor alone refuses it. ``SYMMETRY_WITHOUT`` may name one of them that is not used.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from symmetry.base import files
from symmetry.base.errors import NotCheckable
from symmetry.sandbox.confinement import landlock, seccomp
from symmetry.sandbox.confinement.supervisor import ADDRESS, ask
from symmetry.sandbox.shared import shared_places

WITHOUT = "SYMMETRY_WITHOUT"  # names what is not used of the kernel, for tests
_PACKAGE = str(Path(__file__).parents[2])  # Python and Numba keep what they compile there
_address = os.environ.get(ADDRESS)  # a script does not see it
NEITHER = (
    "this system has neither Landlock nor seccomp: a C library may write to the user's own folders "
    "by absolute paths, which the mirror does not see; name these folders with --writable, or "
    "check a copy"
)


def is_possible() -> bool:
    """Return whether the kernel can confine a process."""
    return bool(_version()) or _watches()


def _version() -> int:
    return 0 if "landlock" in os.environ.get(WITHOUT, "") else landlock.version()


def _watches() -> bool:
    return seccomp.is_possible() and "seccomp" not in os.environ.get(WITHOUT, "")


def confine() -> None:
    """Let this process, and all that it starts, only write where a script may.

    It comes before the process has threads. The supervisor's address is in the environment of a
    process that is to be confined.
    """
    if _address is None:
        return
    files.elsewhere = _elsewhere
    if _version():
        landlock.restrict(_places())


def watch() -> None:
    """Let the supervisor decide on all that this thread, and what it starts, changes in files.

    A process has one supervisor that decides: the commands that check one target each are started
    by a process that is not watched.
    """
    if _address is not None and _watches():
        with suppress(OSError):  # the kernel is too old
            listener = seccomp.watch()
            # It changes no file before the supervisor has the descriptor.
            ask(_address, "watch", tuple(_places()), number=listener)
            os.close(listener)


def refusal(name: str) -> NotCheckable | None:
    """Return the error of a script that wrote where it may not; None if it did not."""
    refused = _address and ask(_address, "refused")
    if not refused:
        return None
    return NotCheckable(
        f"{name}: not checked: it writes to {refused[0]} by a C library or another program; give "
        f"another folder as an option, or allow it with --writable {refused[0]}"
    )


def _elsewhere(name: str, *arguments: Any) -> None:
    """Let the supervisor do something with files."""
    assert _address
    ask(_address, name, *arguments)


def _places() -> Iterator[str]:
    """Yield the files and folders that may be written to, by their real paths."""
    for place in (_PACKAGE, *shared_places()):
        if os.path.exists(place):
            yield os.path.realpath(place)
