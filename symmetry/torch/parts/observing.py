"""Observing what happens inside of a step."""

from __future__ import annotations

from contextlib import nullcontext

import torch

from symmetry.torch.modes.recorder import Recorder
from symmetry.torch.parts.arrays import Arrays
from symmetry.torch.parts.module_hooks import Lines, ModuleHooks
from symmetry.torch.parts.operations import OperationModes
from symmetry.torch.parts.platform import frames
from symmetry.torch.parts.step_events import TorchStepEvents
from symmetry.training.capabilities.observing import Observing
from symmetry.training.observation import Observation
from symmetry.training.run import Run


class TorchObserving(Observing):
    """Observes modules, losses, gradients and updates of a run's steps."""

    def __init__(
        self, run: Run, arrays: Arrays, events: TorchStepEvents, operations: OperationModes
    ) -> None:
        self._run, self._arrays = run, arrays
        self._events, self._operations = events, operations

    def observe(self) -> Observation:
        """Take the next step; return what it shows beside the state."""
        objects, events = self._arrays.objects, self._events
        scalers = (x for x in objects.extras.values() if isinstance(x, torch.amp.GradScaler))
        scaler = next((scaler for scaler in scalers if scaler.is_enabled()), None)
        lines = Lines()
        hooks = ModuleHooks(objects.model, self._arrays.parameters, scaler, lines)
        listening = events.listening(
            on_loss=hooks.on_loss,
            after_backward=hooks.after_backward,
            before_update=lambda given: hooks.before_update(given.optimizer),
        )
        # Nothing compiles under a mode: what compiles, in runs without modes, shows no lines.
        compiled = self._operations.as_written and frames() > 0
        with listening, nullcontext() if compiled else Recorder(lines), hooks.hooked():
            self._run.step()
        return hooks.shown(self._run.loss, self._arrays.tensors())
