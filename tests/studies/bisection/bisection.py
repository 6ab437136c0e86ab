"""The search over releases: trials that are made, or known from an earlier search."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

from symmetry.base.errors import SymmetryError
from tests.studies.bisection.environment import CannotInstall, environment
from tests.studies.bisection.memory import Memory
from tests.studies.bisection.search import Change, first_change
from tests.studies.bisection.trial import Trial, tried

Doing = Callable[[str, int, int | None], None]  # what is done, its number, and of how many


class Bisection:
    """A command that is run with releases of a library.

    Parameters
    ----------
    package
        The name of the library.
    words
        The command: ``check`` or ``compare``, and its arguments.
    folder
        Where environments and verdicts are kept; it is made if it is missing.
    more
        Further requirements, which each environment meets.
    again
        Whether verdicts that are known are not used.
    """

    def __init__(
        self,
        package: str,
        words: Sequence[str],
        folder: Path,
        more: Sequence[str] = (),
        *,
        again: bool = False,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._package, self._words, self._folder, self._more = package, words, folder, more
        self._memory = Memory(folder, package, words, more)
        if again:
            self._memory.trials.clear()
        self.trials: dict[str, Trial] = {}  # by release, in the order in which they were made

    def change(
        self, releases: Sequence[str], tell: Callable[[Trial], None], doing: Doing
    ) -> Change | None:
        """Return where the verdict changes; None if both ends have the same.

        Parameters
        ----------
        releases
            In their order, at least two.
        tell
            Called with each trial as it ends.
        doing
            Called as one begins.

        Raises
        ------
        SymmetryError
            If nothing is judged with the first release or with the last one.
        """
        most = 2 + math.ceil(math.log2(len(releases) - 1))  # if all can be judged

        def verdict(release: str) -> object:
            doing(f"{self._package} {release}", len(self.trials) + 1, most)
            trial = self.trials[release] = self._trial(release)
            ends = [self.trials[end] for end in (releases[0], releases[-1]) if end in self.trials]
            if trial.verdict is None and trial in ends:
                raise SymmetryError(f"{self._package} {release} cannot be judged: {trial.line}")
            tell(trial)
            # A target that fails only in between does so for a reason of its own.
            return None if trial.fails and not any(end.fails for end in ends) else trial.verdict

        return first_change(releases, verdict)

    def _trial(self, release: str) -> Trial:
        if release in self._memory.trials:
            return self._memory.trials[release]
        try:
            python = environment(self._folder, self._package, release, self._more)
        except CannotInstall as error:
            return Trial(release, None, (), f"cannot be installed: {error}", 0.0)
        trial = tried(python, release, self._words)
        self._memory.add(trial)
        return trial
