"""An environment that differs from the present one in the release of one library.

It is a virtual environment that finds all that it lacks in the present one. So pip installs only
the release, and those of its requirements that the present environment does not meet.
"""

from __future__ import annotations

import hashlib
import os
import re
import site
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Sequence
from pathlib import Path
from shutil import rmtree

from symmetry.base.errors import SymmetryError
from tests.studies.bisection.releases import PIP

_READY = "ready"  # a file that is written last
# Errors of pip that list other releases; another one behind them says what is missing.
_LISTS = ("Ignored the following", "Could not find a version")


class CannotInstall(SymmetryError):  # noqa: N818
    """A release that cannot be installed here; the message is the reason."""


def environment(folder: Path, package: str, release: str, more: Sequence[str]) -> Path:
    """Return the Python of an environment with this release; one that is there is used again.

    Parameters
    ----------
    folder
        Where environments lie.
    more
        Further requirements of pip's, as ``numpy<2``.

    Raises
    ------
    CannotInstall
        If pip cannot install it: as wheels only, since a build may take hours.
    """
    outer = _site_packages()
    key = hashlib.sha256(repr((sys.version, outer, sorted(more))).encode()).hexdigest()[:12]
    place = folder / f"{package}-{release}-{key}"
    python = place / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not (place / _READY).exists():
        rmtree(place, ignore_errors=True)  # one that was interrupted
        venv.create(place, symlinks=os.name != "nt")
        _see(place, outer)
        _install(python, [f"{package}=={release}", *more])
        (place / _READY).touch()
    return python


def _site_packages() -> list[str]:
    """Return the folders where the present environment looks for libraries."""
    folders = [
        *site.getsitepackages(),
        *([site.getusersitepackages()] if site.ENABLE_USER_SITE else []),
    ]
    return [folder for folder in folders if Path(folder).is_dir()]


def _see(place: Path, folders: Sequence[str]) -> None:
    """Let an environment find what lies in folders, behind its own libraries."""
    own = sysconfig.get_path("purelib", "venv", {"base": str(place)})
    lines = [f"import site; site.addsitedir({folder!r})\n" for folder in folders]
    Path(own, "outer.pth").write_text("".join(lines))


def _install(python: Path, requirements: Sequence[str]) -> None:
    command = [*PIP, "--python", str(python), "install", "--quiet", "--no-input"]
    done = subprocess.run(
        [*command, "--only-binary", ":all:", *requirements],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        reason = _reason(done.stderr, requirements[0])
        raise CannotInstall(reason or f"pip ended with exit status {done.returncode}")


def _reason(text: str, release: str) -> str:
    """Return why ``NAME==VERSION`` could not be installed, from pip's errors."""
    version = re.escape(release.partition("==")[2])
    needs = re.search(rf" {version} Requires-Python ([^;\n]+)", text)
    if needs and f"No matching distribution found for {release}" in text:
        return f"it needs Python {needs[1]}"
    errors = [line.removeprefix("ERROR: ") for line in text.splitlines() if "ERROR: " in line]
    plain = [line for line in errors if not line.startswith(_LISTS)]
    return plain[0] if plain else text.strip()
