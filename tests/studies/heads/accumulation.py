"""The gradient of one update by Trainer: 16 samples at once, and in 4 micro-batches of 4."""

from __future__ import annotations

import resource
from typing import Any
from unittest.mock import patch

from torch import Tensor, nn
from transformers import (
    PreTrainedModel,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

from tests.studies.heads.heads import Head

Row = dict[str, Any]
SAMPLES, MICRO_BATCHES = 16, 4


class _First(TrainerCallback):  # type: ignore[misc]
    """Keeps the gradients of the first update as they are before it, and ends the training."""

    gradients: dict[str, Tensor]

    def on_pre_optimizer_step(
        self, args: Any, state: Any, control: Any, *, model: nn.Module, **_: Any
    ) -> None:
        self.gradients = {
            name: parameter.grad.double().clone()
            for name, parameter in model.named_parameters()
            if parameter.grad is not None
        }
        control.should_training_stop = True


def row_of(head: Head) -> Row:
    """Return how many times as large the accumulated gradients are, or why that is unknown."""
    begin = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    row: Row = {"head": head.name, "kind": head.kind, "task": head.task, "loss": head.loss()}
    try:
        whole, _ = _gradients(head, 1)
        parts, passes = _gradients(head, MICRO_BATCHES)
        divided, _ = _gradients(head, MICRO_BATCHES, divides=True)
        row |= {"ratio": _ratio(parts, whole), "divided": _ratio(divided, whole), "passes": passes}
    except Exception as error:  # each model has requirements of its own
        row["why"] = f"{type(error).__name__}: {error}".partition("\n")[0]
    return row | {
        "cpu_seconds": round(resource.getrusage(resource.RUSAGE_SELF).ru_utime - begin, 2)
    }


def _gradients(
    head: Head, micro_batches: int, *, divides: bool = False
) -> tuple[dict[str, Tensor], bool]:
    """Return the gradients of the first update, and whether Trainer leaves division to the model.

    With ``divides`` Trainer divides each loss itself: so it does if no forward has ``**kwargs``.
    """
    first = _First()
    arguments = TrainingArguments(
        output_dir="unused",
        per_device_train_batch_size=SAMPLES // micro_batches,
        gradient_accumulation_steps=micro_batches,
        max_steps=1,
        max_grad_norm=0.0,  # or they would be clipped before they are read
        use_cpu=True,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        logging_strategy="no",
    )
    with patch.object(nn.functional, "dropout", lambda x, *_, **__: x):
        model: PreTrainedModel = head.model()
        trainer = Trainer(model, arguments, train_dataset=head.rows(), callbacks=[first])
        trainer.remove_callback(PrinterCallback)
        passes = bool(trainer.model_accepts_loss_kwargs)
        if divides:
            trainer.model_accepts_loss_kwargs = False
        trainer.train()
    return first.gradients, passes


def _ratio(gradients: dict[str, Tensor], reference: dict[str, Tensor]) -> float:
    """Return the factor that takes the reference nearest to the gradients, in least squares."""
    product = sum(float((gradients[name] * g).sum()) for name, g in reference.items())
    square = sum(float((g * g).sum()) for g in reference.values())
    return round(product / square, 3)
