"""The callback for a Trainer of Lightning."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Unpack

import lightning

from symmetry.callbacks.first_updates import FirstUpdates
from symmetry.checker.options import Keywords


class LightningCallback(lightning.Callback):
    """Check the first updates of a run of Lightning's ``Trainer``, each in copies.

    Parameters and random states of the run stay as they are, bit for bit. Copies of the module
    have no trainer, so that they log nothing. A report for each update lies where checkpoints
    are written: ``symmetry-1.txt``, and as JSON beside it.

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
    ``trainer = Trainer(..., callbacks=[LightningCallback(stop=True)])``
    """

    def __init__(
        self, *, updates: int = 1, stop: bool = False, **options: Unpack[Keywords]
    ) -> None:
        self._first = FirstUpdates(updates, stop, options)

    def on_train_batch_start(
        self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int
    ) -> None:
        """Check the update that begins with this batch."""
        begins = batch_idx % trainer.accumulate_grad_batches == 0
        if not (self._first.is_next and begins and trainer.is_global_zero):
            return

        def loss(module: Any, inputs: Any) -> Any:
            returned = module.training_step(inputs, batch_idx)
            return returned["loss"] if isinstance(returned, dict) else returned

        optimizer = trainer.optimizers[0] if pl_module.automatic_optimization else None
        with _alone(pl_module):
            ends = self._first.check(_folder(trainer), pl_module, batch, loss, optimizer)
        trainer.should_stop = trainer.should_stop or ends


@contextmanager
def _alone(module: Any) -> Iterator[None]:
    """Take the trainer from a module: copies of it must not copy, nor use, that."""
    trainer = module.trainer
    module.trainer = None
    try:
        yield
    finally:
        module.trainer = trainer


def _folder(trainer: Any) -> Path:
    """Return where checkpoints are written."""
    saves = trainer.checkpoint_callback
    return Path((saves and saves.dirpath) or trainer.default_root_dir)
