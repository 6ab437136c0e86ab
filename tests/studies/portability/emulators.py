"""Processors that this machine is not: qemu's user-mode emulation, and an aarch64 Python for it.

Nothing here is installed into the system. `set_up` fetches Debian's packages through a private
state of APT, and wheels through pip, into a directory of the user's cache; without it the
configurations that need an emulator are reported as not available.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from symmetry.base.errors import SymmetryError
from symmetry.base.folders import cache_folder

QEMU = ("qemu-x86_64", "qemu-aarch64")
PACKAGES = ("python3-minimal", "python3", "libstdc++6")  # and what they depend on
WHEELS = ("numba", "llvmlite", "numpy")
PLATFORMS = ("manylinux_2_28_aarch64", "manylinux_2_27_aarch64", "manylinux2014_aarch64")


def cache() -> Path:
    """Return the directory that `set_up` fills."""
    return cache_folder() / "emulators"


def qemu(name: str) -> str | None:
    """Return the path of one of qemu's programs, the system's own before a fetched one."""
    return shutil.which(name) or shutil.which(name, path=str(cache() / "qemu"))


def aarch64() -> Path | None:
    """Return the aarch64 root directory (with ``site`` for the wheels), if it was fetched."""
    root = cache() / "aarch64"
    return root if root.is_dir() else None


def python_of(root: Path) -> Path:
    """Return the interpreter within a root directory, ``python3.13`` for instance."""
    return next((root / "usr" / "bin").glob("python3.*[0-9]"))


def set_up() -> None:
    """Fetch what is missing: about 180 MB, in a minute.

    Raises
    ------
    SymmetryError
        If something cannot be fetched, or if this is not a Debian-like system.
    """
    for program in ("apt-get", "dpkg", "dpkg-deb"):
        if not shutil.which(program):
            raise SymmetryError(
                f"the emulators come in Debian's packages, and {program} is missing"
            )
    if not all(map(qemu, QEMU)):
        _make("qemu", _fetch_qemu)
    if not aarch64():
        _make("aarch64", _fetch_aarch64)


def _make(name: str, fetch: Callable[[Path], None]) -> None:
    """Fill a directory of the cache, which is there whole or not at all."""
    cache().mkdir(parents=True, exist_ok=True)
    print(f"fetching {name} into {cache()}", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory(dir=cache()) as scratch:
        made = Path(scratch) / name
        made.mkdir()
        fetch(made)
        made.rename(cache() / name)


def _fetch_qemu(directory: Path) -> None:
    native = _run("dpkg", "--print-architecture").strip()
    with tempfile.TemporaryDirectory(dir=cache()) as scratch:
        for package in _packages(("qemu-user",), native, Path(scratch)):
            with subprocess.Popen(
                ("dpkg-deb", "--fsys-tarfile", package), stdout=subprocess.PIPE
            ) as unpacking:
                _extract(unpacking, directory)


def _extract(unpacking: subprocess.Popen[bytes], directory: Path) -> None:
    """Take the two programs out of a package that holds forty."""
    with tarfile.open(fileobj=unpacking.stdout, mode="r|") as archive:
        for member in archive:
            member.name = Path(member.name).name
            if member.name in QEMU:
                archive.extract(member, directory, filter="data")


def _fetch_aarch64(root: Path) -> None:
    with tempfile.TemporaryDirectory(dir=cache()) as scratch:
        for package in _packages(PACKAGES, "arm64", Path(scratch)):
            _run("dpkg-deb", "-x", str(package), str(root))
    if not (root / "lib").exists():
        (root / "lib").symlink_to("usr/lib")  # where the programs look for their loader
    python = python_of(root).name.removeprefix("python")
    abi = "cp" + python.replace(".", "")
    _run(
        *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
        *("--no-deps", "--no-compile", "--only-binary=:all:", f"--target={root / 'site'}"),
        *(f"--python-version={python}", "--implementation=cp", f"--abi={abi}"),
        *(f"--platform={platform}" for platform in PLATFORMS),
        *(f"{wheel}=={version(wheel)}" for wheel in WHEELS),
    )


def _packages(names: tuple[str, ...], architecture: str, scratch: Path) -> list[Path]:
    """Download packages and all that they depend on, as if nothing was installed."""
    for directory in ("state/lists/partial", "cache/archives/partial", "log"):
        (scratch / directory).mkdir(parents=True)
    (scratch / "state" / "status").touch()
    options = {
        "APT::Architecture": architecture,
        "APT::Architectures": architecture,
        "APT::Install-Recommends": "false",
        "APT::Sandbox::User": "root",  # the directory is this user's own
        "Dir::State": scratch / "state",
        "Dir::State::status": scratch / "state" / "status",
        "Dir::Cache": scratch / "cache",
        "Dir::Log": scratch / "log",
    }
    apt_get = ("apt-get", "-q", *(f"-o{name}={value}" for name, value in options.items()))
    _run(*apt_get, "update")
    _run(*apt_get, "install", "--yes", "--download-only", *names)
    return sorted((scratch / "cache" / "archives").glob("*.deb"))


def _run(*command: str) -> str:
    """Return what a command prints.

    Raises
    ------
    SymmetryError
        If it fails, with the last line that it wrote.
    """
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or ["no word why"]
        raise SymmetryError(f"{Path(command[0]).name} failed: {said[-1]}")
    return done.stdout


def qemu_version() -> str:
    """Return the version of qemu's programs, empty if there are none."""
    program = next(filter(None, map(qemu, QEMU)), None)
    if not program:
        return ""
    return _run(program, "--version").split("version ")[1].split()[0]
