"""All runs that say whether a script resumes: see ``ResumedRuns``.

A framework observes one run of a script: what it held, and copies of its files at its saves.
"""

from __future__ import annotations

import gc
import os
import shlex
import weakref
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from io import IOBase
from itertools import count
from pathlib import Path
from typing import Any, Generic, NamedTuple, Protocol, Self, TypeVar

from symmetry.base.calls import running
from symmetry.base.errors import SymmetryError, TrainingError
from symmetry.base.folders import TemporaryFolder
from symmetry.observe.source_line import SourceLine, asked_at
from symmetry.sandbox.folder_mirror import FolderMirror, WrittenFiles
from symmetry.sandbox.libraries import begun_again
from symmetry.sandbox.mirror_pool import MirrorPool
from symmetry.sandbox.source import Source
from symmetry.training.resumed_runs import HalfWritten, ObservedRun, ResumedRuns, Resumption
from symmetry.units.words import count as counted

_MORE = "give it arguments with which it saves earlier, and trains on afterwards"


class NoUpdateError(SymmetryError):
    """A resumed run makes no update."""


class Overwritten(NamedTuple):
    """A save that has written over the file of an earlier one."""

    files: WrittenFiles  # behind it
    path: Path  # of the copy of the file
    at: SourceLine
    update: int  # how many updates came before


class Overwriting:
    """Finds the first save that writes over the file of an earlier one; copies its files."""

    def __init__(self, folder: Path) -> None:
        self.first: Overwritten | None = None
        self._folder = folder
        # The streams of files that were saved behind an update, by path; None for other files.
        self._streams: dict[str, weakref.ref[Any] | None] = {}

    def see(self, file: Any, mirror: FolderMirror, update: int) -> None:
        """See that a file was saved, given by its path or as a stream, behind some updates."""
        is_stream = isinstance(file, IOBase)
        name = getattr(file, "name", None) if is_stream else file
        path = str(Path(name).absolute()) if isinstance(name, str | os.PathLike) else ""
        before = self._streams.get(path)
        is_over = path in self._streams and (before is None or before() is not file)
        if is_over and self.first is None:
            inside = path if path.startswith(mirror.top) else mirror.of(path)
            files = mirror.copy_written(self._folder)
            copied = Path(f"{files.folder}{inside.removeprefix(mirror.top)}")
            self.first = Overwritten(files, copied, asked_at(), update)
        if path and update:
            self._streams[path] = weakref.ref(file) if is_stream else None


@dataclass(frozen=True)
class WrittenRun:
    """A run of a script, and the files that it has written."""

    observed: ObservedRun
    files: Mapping[int, WrittenFiles] = field(repr=False)  # by the number of updates before
    error: TrainingError | None = None  # that ended it
    overwritten: Overwritten | None = None  # the first save that was one


class Place(Protocol):
    """A script, and where it runs."""

    source: Source
    mirrors: MirrorPool

    def adapting(self, run: Callable[[], WrittenRun]) -> WrittenRun:
        """Run it; anew with what it lacks here, if it raises for want of it."""

    def resumed(self, arguments: tuple[str, ...], files: WrittenFiles) -> Self:
        """Return where it goes on with other arguments, from files that it has written."""


OwnPlace = TypeVar("OwnPlace", bound=Place)
# Runs a script with this seed, and copies its files into a folder.
Observe = Callable[[OwnPlace, int, Path], WrittenRun]


def resumed_runs(
    place: OwnPlace, observe: Observe[OwnPlace], arguments: tuple[str, ...], seed: int
) -> ResumedRuns:
    """Run a script, let it go on from the files of some of its saves, and once more from there.

    Raises
    ------
    SymmetryError
        If it does not save, or does not resume.
    """
    try:
        with TemporaryFolder() as folder:
            numbers = count()
            return _Runs(
                place,
                lambda at: observe(at, seed, Path(folder) / str(next(numbers))),
                arguments,
            ).all()
    finally:
        gc.unfreeze()


class _Runs(Generic[OwnPlace]):
    """The runs of one script: those that are resumed have other arguments."""

    def __init__(
        self,
        place: OwnPlace,
        observe: Callable[[OwnPlace], WrittenRun],
        arguments: tuple[str, ...],
    ) -> None:
        self._place, self._observe, self._arguments = place, observe, arguments
        self._name = place.source.name

    def all(self) -> ResumedRuns:
        """Run it whole, resumed, and resumed once more if all is well so far."""
        whole = self._whole()
        found: list[Resumption] = []
        failures: list[SymmetryError] = []
        for saved in self._saves_of(whole):
            if found and running.used >= running.limit:
                break
            try:
                resumption, written = self._resume(whole, saved)
            except SymmetryError as error:  # an earlier save leaves more to do, or has other files
                failures.append(error)
                continue
            found.append(resumption)
            again = resumption.after.usable_saves(written.files)  # the first: it may count anew
            if again and resumption.position is not None and not any(each.again for each in found):
                once_more, _ = self._resume(written, again[0], resumption)
                found += [once_more] * (once_more.position == again[0])  # else by an earlier file
        if not found:
            raise next((e for e in failures if not isinstance(e, NoUpdateError)), failures[-1])
        same = {*self._place.source.arguments} <= {*self._arguments}
        return ResumedRuns(
            resumptions=tuple(found), half_written=self._half(whole), same_arguments=same
        )

    def _whole(self) -> WrittenRun:
        """Run it without an interruption, with a device and ranks that it lacks."""
        try:
            return self._place.adapting(partial(begun_again, self._begin))
        except TrainingError as error:
            raise SymmetryError(f"--resume-with: {error}") from error

    def _begin(self) -> WrittenRun:
        run = self._run(self._place)
        if run.error is not None and not run.observed.updates:
            raise run.error
        return run

    def _half(self, whole: WrittenRun) -> HalfWritten | None:
        """Return the file that is left by a kill while it is written over, if all is lost then."""
        save, before = whole.overwritten, whole.observed
        if save is None or save.update not in before.held or not save.path.is_file():
            return None
        os.truncate(save.path, save.path.stat().st_size // 2)
        after = self._begun_from(save.files).observed
        begun = Resumption(before=before, saved=save.update, after=after)
        failure = next((why for why in self._failures(begun)), "")
        if not (after.epochs.error or begun.restores_nothing):
            return None
        return HalfWritten(at=save.at, file=save.path.name, failure=failure)

    def _run(self, place: OwnPlace) -> WrittenRun:
        gc.freeze()  # what it makes itself is found among few objects, and is not an earlier run's
        return self._observe(place)

    def _begun_from(self, files: WrittenFiles) -> WrittenRun:
        """Let the script go on from files."""
        return begun_again(partial(self._run, self._place.resumed(self._arguments, files)))

    def _resume(
        self, before: WrittenRun, saved: int, first: Resumption | None = None
    ) -> tuple[Resumption, WrittenRun]:
        """Let the script go on from the files that it had after ``saved`` updates."""
        after = self._begun_from(before.files[saved])
        found = Resumption(before=before.observed, saved=saved, after=after.observed, first=first)
        if first is None and (why := "".join(self._failures(found))):
            is_over = not (after.observed.epochs.error or after.observed.updates)
            kind = NoUpdateError if is_over else SymmetryError
            raise kind(f"{self._name}: resumed with {shlex.join(self._arguments)} {why}")
        return found, after

    def _saves_of(self, whole: WrittenRun) -> tuple[int, ...]:
        """Return the saves that it is resumed from."""
        run, files = whole.observed, self._with_named_files(whole.files)
        if run.epochs.error:
            raise SymmetryError(f"--resume-with: {run.epochs.error}")
        if not run.updates:
            raise SymmetryError(
                f"{self._name}: --resume-with: none of its updates is seen: how it resumes cannot "
                "be checked, unless one compiled function takes a whole step"
            )
        if saves := run.saves_to_resume(files):
            return saves
        made = f"{counted(len(run.updates), 'update')}, to {run.epochs.ended}"
        saved = "it only saves at its end" if run.saves_at_its_end else "it saves nothing"
        raise SymmetryError(f"{self._name}: --resume-with: {saved} ({made}): {_MORE}")

    def _with_named_files(self, copies: Mapping[int, WrittenFiles]) -> Mapping[int, WrittenFiles]:
        """Return the copies with the files that the arguments name, as ``--resume epoch_2.pt``."""
        words = [part for word in self._arguments for part in {word, word.partition("=")[2]}]
        paths = [str((self._place.source.folder / word).absolute()) for word in words if word]

        def number(files: WrittenFiles) -> int:
            return sum(Path(str(files.folder) + os.path.splitdrive(p)[1]).exists() for p in paths)

        numbers = {saved: number(files) for saved, files in copies.items()}
        most = max(numbers.values(), default=0)
        return {saved: files for saved, files in copies.items() if numbers[saved] == most}

    def _failures(self, found: Resumption) -> Iterator[str]:
        """Yield why nothing can be said of a resumed run, if that is so."""
        after = found.after
        if after.epochs.error:
            yield f"it fails: {after.epochs.error}"
        elif not after.updates:
            left = len(found.before.updates) - found.saved
            yield f"it makes no update, and {left} were left: give it more to do"
        elif found.restores_nothing:
            yield "it begins from the start: it has loaded nothing"
        elif found.partly_from is None and found.average is None:
            yield (
                f"it begins with parameters that it did not save after {found.saved} updates, and "
                "not with those of an earlier save"
            )
