"""Releases of a toy library, as wheels that pip installs without the network."""

from __future__ import annotations

from pathlib import Path
from zipfile import ZipFile

NAME = "toylib"
_WHEEL = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def write_wheels(folder: Path, sources: dict[str, str], requires: dict[str, str]) -> dict[str, str]:
    """Write a wheel for each release, and return the variables by which pip only finds these.

    Parameters
    ----------
    folder
        Where the wheels are written.
    sources
        The source of the library's module, by release.
    requires
        What a release requires, if it requires anything.
    """
    for release, source in sources.items():
        about = f"Metadata-Version: 2.1\nName: {NAME}\nVersion: {release}\n"
        if release in requires:
            about += f"Requires-Dist: {requires[release]}\n"
        info = f"{NAME}-{release}.dist-info"
        with ZipFile(folder / f"{NAME}-{release}-py3-none-any.whl", "w") as wheel:
            wheel.writestr(f"{NAME}.py", source)
            wheel.writestr(f"{info}/METADATA", about)
            wheel.writestr(f"{info}/WHEEL", _WHEEL)
            wheel.writestr(f"{info}/RECORD", "")
    return {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(folder)}
