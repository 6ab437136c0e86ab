"""The callback for a Trainer of transformers, and of what is built on it, as TRL."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Unpack

import transformers

from symmetry.callbacks.first_updates import FirstUpdates
from symmetry.checker.options import Keywords


class TrainerCallback(transformers.TrainerCallback):
    """Check the first updates of a run of transformers' ``Trainer``, each in copies.

    Parameters and random states of the run stay as they are, bit for bit. The first batch of each
    update is checked, with the loss that the model computes itself. A report for each update lies
    in the output folder: ``symmetry-1.txt``, and as JSON beside it.

    Parameters
    ----------
    updates
        How many updates are checked.
    stop
        Whether the run ends as soon as one of them breaks an invariant.
    **options
        As ``symmetry.check`` takes them, such as ``only``.

    Examples
    --------
    ``trainer = Trainer(..., callbacks=[TrainerCallback(only="loss/*")])``
    """

    def __init__(
        self, *, updates: int = 1, stop: bool = False, **options: Unpack[Keywords]
    ) -> None:
        self._first = FirstUpdates(updates, stop, options)
        self._hook: Any = None
        self._batch: dict[str, Any] | None = None

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Look at the first call of the model in an update."""
        if self._first.is_next and state.is_world_process_zero:
            self._hook = kwargs["model"].register_forward_pre_hook(self._seen, with_kwargs=True)

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> Any:
        """Check the update that is about to come."""
        self._leave()
        batch, self._batch = self._batch, None
        if batch is not None:
            optimizer = kwargs["optimizer"]
            optimizer = getattr(optimizer, "optimizer", optimizer)  # accelerate wraps it
            samples, constants = _divided(batch)

            def loss(model: Any, inputs: Any) -> Any:
                return model(**constants, **inputs)["loss"]

            folder = Path(args.output_dir)
            if self._first.check(folder, kwargs["model"], samples, loss, optimizer):
                control.should_training_stop = True
        return control

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Leave the model alone, where a run ends between two updates."""
        self._leave()

    def _seen(self, model: Any, args: Any, kwargs: dict[str, Any]) -> None:
        if model.training and self._batch is None:
            self._batch = {
                name: value.detach().clone() if _is_tensor(value) else value
                for name, value in kwargs.items()
            }

    def _leave(self) -> None:
        if self._hook is not None:
            self._hook.remove()
            self._hook = None


def _divided(batch: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the tensors with an axis of samples, and the other arguments of a call."""
    samples = {n: v for n, v in batch.items() if _is_tensor(v) and v.dim()}
    constants = {n: v for n, v in batch.items() if n not in samples}
    return samples, {n: v.cpu() if _is_tensor(v) else v for n, v in constants.items()}


def _is_tensor(value: Any) -> bool:
    return hasattr(value, "detach")
