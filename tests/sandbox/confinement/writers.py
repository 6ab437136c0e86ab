"""Ways to change files of a folder; as a program it tries all of them on one.

The process confines itself before, and prints the names of those that raise nothing.
"""

from __future__ import annotations

import ctypes
import mmap
import multiprocessing
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import numpy as np

Writer = Callable[[Path], object]
WRITERS: dict[str, Writer] = {}


def writer(function: Writer) -> Writer:
    """Add a function that changes files of a folder, which has ``old`` and ``deep/old``."""
    WRITERS[function.__name__] = function
    return function


@writer
def python(folder: Path) -> None:
    (folder / "old").write_text("new")


@writer
def appended(folder: Path) -> None:
    with (folder / "old").open("ab") as file:
        file.write(b"new")


@writer
def by_number(folder: Path) -> None:
    os.close(os.open(folder / "new", os.O_CREAT | os.O_WRONLY))


@writer
def below_a_number(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY)
    os.unlink("old", dir_fd=number)


@writer
def in_memory(folder: Path) -> None:
    with (folder / "old").open("r+b") as file, mmap.mmap(file.fileno(), 0) as memory:
        memory[:1] = b"X"


@writer
def numpy(folder: Path) -> None:
    np.memmap(folder / "new", np.float32, "w+", shape=4)[:] = 1


@writer
def sqlite(folder: Path) -> None:
    with sqlite3.connect(folder / "new.db") as base:
        base.execute("create table a (b)")


@writer
def in_c(folder: Path) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.fopen.restype = ctypes.c_void_p
    if not libc.fopen(os.fsencode(folder / "old"), b"w"):
        raise OSError(ctypes.get_errno(), "fopen")


@writer
def program(folder: Path) -> None:
    subprocess.run(["sh", "-c", f"echo new > '{folder}/old'"], check=True, capture_output=True)


@writer
def child(folder: Path) -> None:
    process = multiprocessing.get_context("fork").Process(target=removed, args=(folder,))
    process.start()
    process.join()
    if process.exitcode:
        raise OSError("the child failed")


@writer
def thread(folder: Path) -> None:
    errors: list[Exception] = []

    def work() -> None:
        try:
            removed(folder)
        except OSError as error:
            errors.append(error)

    (started := threading.Thread(target=work)).start()
    started.join()
    if errors:
        raise errors[0]


@writer
def renamed(folder: Path) -> None:
    (folder / "old").rename(folder / "new")


@writer
def moved_away(folder: Path) -> None:
    shutil.move(folder / "old", os.environ["SYMMETRY_FOLDER"])


@writer
def moved_here(folder: Path) -> None:
    (file := Path(os.environ["SYMMETRY_FOLDER"], "other")).write_text("new")
    file.replace(folder / "old")


@writer
def truncated(folder: Path) -> None:
    os.truncate(folder / "old", 0)


@writer
def removed(folder: Path) -> None:
    (folder / "old").unlink()


@writer
def tree(folder: Path) -> None:
    shutil.rmtree(folder / "deep")


@writer
def made(folder: Path) -> None:
    (folder / "more").mkdir()


@writer
def soft_link(folder: Path) -> None:
    (link := Path(os.environ["SYMMETRY_FOLDER"], "soft")).symlink_to(folder / "old")
    link.write_text("new")


@writer
def hard_link(folder: Path) -> None:
    os.link(folder / "old", link := Path(os.environ["SYMMETRY_FOLDER"], "hard"))
    link.write_text("new")


@writer
def link_here(folder: Path) -> None:
    (folder / "link").symlink_to("/")


if find_spec("torch"):

    @writer
    def torch(folder: Path) -> None:
        import torch

        torch.save(torch.zeros(2), folder / "new.pt")


if find_spec("safetensors"):

    @writer
    def safetensors(folder: Path) -> None:
        from safetensors.numpy import save_file

        save_file({"a": np.zeros(2)}, folder / "new.safetensors")


if find_spec("h5py"):

    @writer
    def hdf5(folder: Path) -> None:
        import h5py

        h5py.File(folder / "new.h5", "w").close()


if find_spec("tensorstore"):

    @writer
    def tensorstore(folder: Path) -> None:
        import tensorstore

        place = {"driver": "file", "path": str(folder / "store")}
        store = {"driver": "zarr", "kvstore": place, "metadata": {"shape": [2], "dtype": "<f4"}}
        tensorstore.open(store, create=True).result()[...] = 1


if find_spec("pyarrow"):

    @writer
    def arrow(folder: Path) -> None:
        import pyarrow
        from pyarrow import feather

        feather.write_feather(pyarrow.table({"a": [1]}), str(folder / "new.feather"))


def main() -> None:
    """Confine this process, try all, and print those that raise nothing, and the refusal."""
    from symmetry.sandbox.confinement.confined import confine, refusal, watch

    confine()
    watch()
    names = sys.argv[2:] or WRITERS
    for name, write in WRITERS.items():
        with suppress(Exception):
            if name not in names:
                continue
            write(Path(sys.argv[1]))
            print(name, flush=True)
    print(refusal("a.py"))


if __name__ == "__main__":
    main()
