"""The trial of a PyTorch run: see ``symmetry.training.trial``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from symmetry.torch.trials.evaluation import in_evaluation
from symmetry.torch.trials.first_calls import FirstCall, Steps, at_first_loss
from symmetry.torch.trials.functions import CustomFunctions, any_defined
from symmetry.torch.trials.samples import with_samples
from symmetry.training.trial import CustomFunction, Evaluation, SampleCall


class TorchTrial:
    """Tries the model of one run; it is a ``Trial``.

    Parameters
    ----------
    run
        The run, which is thrown away afterwards.
    """

    def __init__(self, run: Steps) -> None:
        self._run = run

    def custom_functions(self) -> Sequence[CustomFunction]:
        """Take the next step; return the custom functions that it calls, each tried once more."""
        if not any_defined():
            return ()
        calls = CustomFunctions()
        with calls.watching():
            self._run.step()
        with self._run.modes():
            return calls.tried()

    def in_evaluation(self) -> Evaluation:
        """Take the next step up to its first loss; repeat its calls in evaluation mode."""
        return in_evaluation(self._run)

    def calls(self) -> Sequence[FirstCall]:
        """Take the next step up to its first loss; return what its modules were called with."""
        found: list[FirstCall] = []
        at_first_loss(self._run, found.extend)
        return found

    def with_samples(
        self, changed: Mapping[int, Sequence[FirstCall]], count: int
    ) -> Sequence[SampleCall]:
        """Take the next step up to its first loss; repeat its calls with one sample replaced."""
        return with_samples(self._run, changed, count)
