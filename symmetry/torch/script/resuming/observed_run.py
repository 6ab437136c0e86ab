"""A run over epochs as they are that remembers what it held, and the files at each save.

Example: a script that saves behind each epoch of 8 batches.

    model(x) ... optimizer.step()    before the forward: what the script holds after 0 updates
    ...
    torch.save(state, "last.pt")     the eighth update is done
    model(x)                         before the forward: what it holds after 8 updates, and a copy
                                     of all files that it has written. A kill here leaves these.
    ...
    torch.save(state, "last.pt")     the file is written over: a kill meanwhile leaves half of it
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial, wraps
from pathlib import Path
from typing import Any

import torch
from torch.optim.lr_scheduler import ReduceLROnPlateau

from symmetry.base.calls import running
from symmetry.base.libraries import promising
from symmetry.base.patches import Patch, patched
from symmetry.observe.source_line import SourceLine
from symmetry.sandbox.folder_mirror import WrittenFiles
from symmetry.torch.objects import held_by
from symmetry.torch.script.epochs.log import Log
from symmetry.torch.script.epochs.whole import WholeRun
from symmetry.torch.script.host import Host
from symmetry.torch.script.resuming.held import Holding
from symmetry.training.events import Called, Exhausted, LoopEvent, Saved, Updated
from symmetry.training.resumed_runs import HeldState, ObservedRun
from symmetry.training.resuming import Overwriting, WrittenRun

_UPDATES = 64  # that a run takes at most
# The limit in CPU seconds, and in multiples of the setup: the larger one counts.
_SECONDS, _SETUPS = 120.0, 8.0
_LOOKS = 2  # for averages behind a save: whether one moves shows at the next update
_COPIES = 3  # of files that are kept in the first epoch, and in each later one


class _Listened(Log):
    """A log whose events are seen before they are added."""

    def __init__(
        self, suspend: Callable[[], None], seconds: float, most: int, see: Callable[..., None]
    ) -> None:
        super().__init__(suspend, seconds, most)
        self._see = see

    def add(
        self, kind: Callable[..., LoopEvent], at: SourceLine | None = None, /, **facts: Any
    ) -> None:
        if not self.ended:
            self._see(kind, facts)
        super().add(kind, at, **facts)


class ResumableRun(WholeRun):
    """A run whose files are copied at each save.

    Parameters
    ----------
    host
        The script, and where it runs.
    seed
        The seed of all random numbers.
    folder
        Where copies of its files go.
    """

    def __init__(self, host: Host, seed: int, folder: Path) -> None:
        self._files: dict[int, WrittenFiles] = {}  # by the number of updates before
        self._folder, self._holding = folder, Holding()
        self._held: dict[int, HeldState] = {}
        self._saves: list[int] = []
        self._overwriting = Overwriting(folder / "overwritten")
        self._has_saved = False  # since the last training forward
        self._begins = True  # whether the next training forward is the first behind an update
        self._deep = 0  # how many times averages are looked for
        self._left = _COPIES
        self._promise = ""
        super().__init__(host, None, seed, None)

    def _new_log(self, suspend: Callable[[], None]) -> Log:
        seconds = max(_SECONDS, _SETUPS * running.setup)
        return _Listened(suspend, seconds, _UPDATES, self._see)

    def observe(self) -> WrittenRun:
        """Run the script from its start, and return what was observed."""
        epochs = self.go()
        schedulers = self._recorder.schedulers
        observed = ObservedRun(
            epochs=epochs,
            held=self._held,
            saves=tuple(self._saves),
            promise=self._promise,
            follows_scores=any(isinstance(each, ReduceLROnPlateau) for each in schedulers),
        )
        return WrittenRun(observed, self._files, self.error, self._overwriting.first)

    def _see(self, kind: Any, facts: dict[str, Any]) -> None:
        if kind is Saved:
            self._save()
        elif kind is Updated:
            self._begins = True
        elif kind is Exhausted:
            self._left = _COPIES
        elif kind is Called and facts["gradient"]:
            self._begin()

    def _save(self) -> None:
        if self._log.updates:
            self._has_saved = self._begins = True

    def _begin(self) -> None:
        """Look at what the script holds, before a training forward behind an update or a save."""
        if not self._begins:
            return
        updates = self._log.updates
        if not self._held:
            self._deep = _LOOKS
        if self._has_saved:
            self._saves.append(updates)
            self._copy(updates)
        recorder = self._recorder
        stepping = _in_use([o for o in recorder.optimizers if hasattr(o, "param_groups")])
        events = len(self._log.events)
        held = self._holding.look(events, recorder.roots, stepping, deep=self._deep > 0)
        self._held[updates] = held
        self._deep -= 1
        self._begins = self._has_saved = False

    def _copy(self, updates: int) -> None:
        if self._left > 0:
            self._left -= 1
            self._deep = _LOOKS
            # A script may save, and go on, several times between two updates.
            folder = self._folder / str(len(self._log.events))
            self._files[updates] = self._sandbox.mirror.copy_written(folder)

    @contextmanager
    def _watching(self) -> Iterator[None]:
        with super()._watching(), patched(self._patches()):
            yield

    def _patches(self) -> Iterator[Patch]:
        yield from self._holding.patches()
        yield pickle, "dump", self._seen(pickle.dump, self._save)
        yield torch, "save", self._seen_save(torch.save)
        for owner, name, words in promising():
            yield owner, name, self._seen(getattr(owner, name), partial(self._note, words))

    def _seen_save(self, save: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(save)
        def seen(obj: Any, f: Any, *args: Any, **kwargs: Any) -> Any:
            result = save(obj, f, *args, **kwargs)
            if not self._log.ended:
                self._overwriting.see(f, self._sandbox.mirror, self._log.updates)
            return result

        return seen

    def _note(self, words: str) -> None:
        self._promise = self._promise or words

    @staticmethod
    def _seen(function: Callable[..., Any], see: Callable[[], None]) -> Callable[..., Any]:
        @wraps(function)
        def seen(*args: Any, **kwargs: Any) -> Any:
            result = function(*args, **kwargs)
            see()
            return result

        return seen


def _in_use(optimizers: list[Any]) -> list[Any]:
    """Return optimisers without those that a later one has replaced: it holds all they hold."""
    held = [{id(p) for p in held_by(optimizer)} for optimizer in optimizers]
    return [
        optimizer
        for number, optimizer in enumerate(optimizers)
        if not any(held[number] <= later for later in held[number + 1 :])
    ]


def observe(host: Host, seed: int, folder: Path) -> WrittenRun:
    """Run a script, and copy its files into a folder."""
    return ResumableRun(host, seed, folder).observe()
