"""The trial of a PyTorch run: see ``symmetry.training.trial``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from symmetry.torch.trials.evaluation import in_evaluation
from symmetry.torch.trials.first_calls import RunParts
from symmetry.torch.trials.functions import CustomFunctions, any_defined
from symmetry.torch.trials.inputs import TorchModuleInputs, is_divided, module_inputs, slopes
from symmetry.torch.trials.packed import packed
from symmetry.torch.trials.padded import padded
from symmetry.torch.trials.samples import with_samples
from symmetry.training.capabilities.rows import PackedCall, PaddedCall, Rows
from symmetry.training.trial import CustomFunction, Evaluation, Functions, SampleCall, Trial


class TorchTrial(Trial, Functions, Rows):
    """Tries the model of one run.

    Parameters
    ----------
    run
        The run, which is thrown away afterwards.
    """

    def __init__(self, run: RunParts) -> None:
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

    def module_inputs(self, *, operations: bool = False) -> Any:
        """Take the next step up to its first loss; return what its modules are given."""
        return module_inputs(self._run, operations=operations)

    def is_divided(self, count: int) -> bool:
        """Take two steps; return whether they learn from some samples, and evaluate the others."""
        return is_divided(self._run, count)

    def slopes(self, inputs: Any) -> Any:
        """Take the next step up to its first loss, with what another run gives its modules."""
        return slopes(self._run, inputs)

    def packed(self) -> Sequence[PackedCall]:
        """Take the next step up to its first loss; try its calls on rows of several documents."""
        return packed(self._run)

    def padded(self) -> Sequence[PaddedCall]:
        """Take the next step up to its first loss; try its calls on rows without their padding."""
        return padded(self._run)

    def with_samples(
        self, changed: Mapping[int, TorchModuleInputs], count: int
    ) -> Sequence[SampleCall]:
        """Take the next step up to its first loss; repeat its calls with one sample replaced."""
        calls = {sample: inputs.calls for sample, inputs in changed.items()}
        return with_samples(self._run, calls, count)
