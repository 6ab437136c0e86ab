"""All runs that say whether a script resumes: see ``ResumedRuns``."""

from __future__ import annotations

import gc
import os
import shlex
from collections.abc import Iterator
from functools import partial
from itertools import count
from pathlib import Path

from symmetry.base.errors import SymmetryError, TrainingError
from symmetry.base.folders import TemporaryFolder
from symmetry.sandbox.folder_mirror import WrittenFiles
from symmetry.sandbox.libraries import begun_again
from symmetry.torch.script.host import Host
from symmetry.torch.script.resuming.observed_run import Overwritten, ResumableRun
from symmetry.training.resumed_runs import HalfWritten, ObservedRun, ResumedRuns, Resumption
from symmetry.units.words import count as counted

_MORE = "give it arguments with which it saves earlier, and trains on afterwards"


def resumed_runs(host: Host, arguments: tuple[str, ...], seed: int) -> ResumedRuns:
    """Run a script, let it go on from the files of some of its saves, and once more from there.

    Raises
    ------
    SymmetryError
        If it does not save, or does not resume.
    """
    try:
        with TemporaryFolder() as folder:
            return _Runs(host, arguments, seed, Path(folder)).all()
    finally:
        gc.unfreeze()


class _Runs:
    """The runs of one script: those that are resumed have other arguments."""

    def __init__(self, host: Host, arguments: tuple[str, ...], seed: int, folder: Path) -> None:
        self._host, self._arguments, self._seed = host, arguments, seed
        self._folders = (folder / str(number) for number in count())
        self._name = host.source.name
        self._overwritten: Overwritten | None = None  # a save of the whole run

    def all(self) -> ResumedRuns:
        """Run it whole, resumed, and resumed once more if all is well so far."""
        whole = self._whole()
        found: list[Resumption] = []
        for saved in self._saves_of(*whole):
            resumption, files = self._resume(*whole, saved)
            found.append(resumption)
            again = resumption.after.usable_saves(files)  # the first: it may count from here
            if len(found) == 1 and again and resumption.position is not None:
                once_more, _ = self._resume(resumption.after, files, again[0], again=True)
                found += [once_more] * (once_more.position == again[0])  # else by an earlier file
        same = {*self._host.source.arguments} <= {*self._arguments}
        return ResumedRuns(
            resumptions=tuple(found), half_written=self._half(whole[0]), same_arguments=same
        )

    def _whole(self) -> tuple[ObservedRun, dict[int, WrittenFiles]]:
        """Run it without an interruption, with a device and ranks that it lacks."""
        try:
            return self._host.adapting(partial(begun_again, self._begin))
        except TrainingError as error:
            raise SymmetryError(f"--resume-with: {error}") from error

    def _begin(self) -> tuple[ObservedRun, dict[int, WrittenFiles]]:
        observed, run = self._observed(self._host)
        if run.error is not None and not observed.updates:
            raise run.error
        self._overwritten = run.overwritten
        return observed, run.files

    def _half(self, whole: ObservedRun) -> HalfWritten | None:
        """Return the file that is left by a kill while it is written over, if all is lost then."""
        save = self._overwritten
        if save is None or save.update not in whole.held or not save.path.is_file():
            return None
        os.truncate(save.path, save.path.stat().st_size // 2)
        host = self._host.resumed(self._arguments, save.files)
        after, _ = begun_again(partial(self._run, host))
        begun = Resumption(before=whole, saved=save.update, after=after)
        failure = next((why for why in self._failures(begun)), "")
        if not (after.epochs.error or begun.restores_nothing):
            return None
        return HalfWritten(at=save.at, file=save.path.name, failure=failure)

    def _run(self, host: Host) -> tuple[ObservedRun, dict[int, WrittenFiles]]:
        observed, run = self._observed(host)
        return observed, run.files

    def _observed(self, host: Host) -> tuple[ObservedRun, ResumableRun]:
        gc.freeze()  # what it makes itself is found among few objects, and is not an earlier run's
        run = ResumableRun(host, self._seed, next(self._folders))
        return run.observe(), run

    def _resume(
        self,
        before: ObservedRun,
        files: dict[int, WrittenFiles],
        saved: int,
        *,
        again: bool = False,
    ) -> tuple[Resumption, dict[int, WrittenFiles]]:
        """Let the script go on from the files that it had after ``saved`` updates."""
        host = self._host.resumed(self._arguments, files[saved])
        after, written = begun_again(partial(self._run, host))
        found = Resumption(before=before, saved=saved, after=after, again=again)
        if not again and (why := "".join(self._failures(found))):
            raise SymmetryError(f"{self._name}: resumed with {shlex.join(self._arguments)} {why}")
        return found, written

    def _saves_of(self, run: ObservedRun, files: dict[int, WrittenFiles]) -> tuple[int, ...]:
        """Return the saves that it is resumed from."""
        if run.epochs.error:
            raise SymmetryError(f"--resume-with: {run.epochs.error}")
        if saves := run.saves_to_resume(files):
            return saves
        made = f"{counted(len(run.updates), 'update')}, to {run.epochs.ended}"
        saved = "it only saves at its end" if run.saves_at_its_end else "it saves nothing"
        raise SymmetryError(f"{self._name}: --resume-with: {saved} ({made}): {_MORE}")

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
