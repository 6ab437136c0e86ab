"""The releases of a library, and those of them between two."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence

from packaging.version import InvalidVersion, Version

from symmetry.base.errors import SymmetryError

PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check")
_NAME = re.compile(r"[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?")
_LISTED = "Available versions: "


def ends(text: str) -> tuple[str, str]:
    """Return the releases that ``OLD..NEW`` names.

    Raises
    ------
    SymmetryError
        If it is no such text, or NEW is not later than OLD.
    """
    old, dots, new = (part.strip() for part in text.partition(".."))
    try:
        later = Version(old) < Version(new)
    except InvalidVersion:
        dots, later = "", False
    if not dots:
        raise SymmetryError(f"the releases are OLD..NEW, as in 1.2.0..1.4.1, not {text!r}")
    if not later:
        raise SymmetryError(f"{new} is not later than {old}: write OLD..NEW")
    return old, new


def releases_of(package: str) -> list[str]:
    """Return all releases that pip finds, also for a newer Python than this one, in their order.

    Raises
    ------
    SymmetryError
        If pip is missing, or finds no library of this name.
    """
    if not _NAME.fullmatch(package):
        raise SymmetryError(f"{package!r} is no name of a library")
    asked = subprocess.run(
        [*PIP, "index", "versions", "--ignore-requires-python", package],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    listed = [line for line in asked.stdout.splitlines() if line.startswith(_LISTED)]
    if not listed:
        reason = (asked.stderr.strip() or asked.stdout.strip()).splitlines()[-1:]
        raise SymmetryError(f"pip lists no releases of {package}: {''.join(reason)}")
    return sorted(listed[0].removeprefix(_LISTED).split(", "), key=Version)


def between(releases: Sequence[str], old: str, new: str) -> list[str]:
    """Return the releases from one to another.

    Raises
    ------
    SymmetryError
        If one of the two is missing; the message names the ones beside it.
    """
    versions = [Version(release) for release in releases]
    for end in map(Version, (old, new)):
        if end not in versions:
            lower = [str(v) for v in versions if v < end][-1:]
            upper = [str(v) for v in versions if v > end][:1]
            raise SymmetryError(
                f"pip finds no release {end}; next to it: {', '.join(lower + upper)}"
            )
    return [
        release
        for release, version in zip(releases, versions, strict=True)
        if Version(old) <= version <= Version(new)
    ]
