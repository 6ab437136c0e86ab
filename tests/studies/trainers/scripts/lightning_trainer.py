"""Trainings by the Trainer of Lightning and by Fabric: ``python lightning_trainer.py NAME``."""

from __future__ import annotations

import sys
import tempfile
import warnings
from typing import Any

import lightning as pl
import torch
import torch.nn.functional as F
from lightning.pytorch import callbacks
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

_CLASSES, _ROWS, _EPOCHS = 4, 48, 2
warnings.filterwarnings("ignore", module="lightning")


def network() -> nn.Module:
    """Return a small network with BatchNorm and dropout."""
    return nn.Sequential(
        *(nn.Linear(10, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.1)),
        *(nn.Linear(16, 12), nn.GELU(), nn.Linear(12, _CLASSES)),
    )


def rows(shuffle: bool = True) -> DataLoader:
    """Return batches of numbers with classes."""
    data = TensorDataset(torch.randn(_ROWS, 10), torch.randint(_CLASSES, (_ROWS,)))
    return DataLoader(data, batch_size=4, shuffle=shuffle)


class Classifier(pl.LightningModule):
    """A classifier with a schedule of its rate."""

    def __init__(self, schedule: str = "step", validated: bool = False) -> None:
        super().__init__()
        self.network, self.schedule = network(), schedule

    def loss(self, batch: Any) -> Tensor:
        """Return the loss of a batch."""
        x, y = batch
        return F.cross_entropy(self.network(x), y)

    def training_step(self, batch: Any, index: int) -> Tensor:
        """Return the loss."""
        loss = self.loss(batch)
        self.log("loss", loss)
        return loss

    def validation_step(self, batch: Any, index: int) -> None:
        """Note the loss."""
        self.log("validation", self.loss(batch))

    def configure_optimizers(self) -> Any:
        """Return AdamW, with a rate for each step or each epoch."""
        optimizer = torch.optim.AdamW(self.parameters(), 1e-3)
        if self.schedule == "plateau":
            plan: Any = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer)
            return {
                "optimizer": optimizer,
                "lr_scheduler": {"scheduler": plan, "monitor": "validation"},
            }
        plan = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=_ROWS)
        return [optimizer], [{"scheduler": plan, "interval": self.schedule}]


class Pair(pl.LightningModule):
    """Two networks that are trained by hand, one after the other."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.maker = nn.Sequential(nn.Linear(6, 12), nn.ReLU(), nn.Linear(12, 10))
        self.judge = nn.Sequential(nn.Linear(10, 12), nn.LeakyReLU(0.2), nn.Linear(12, 1))

    def training_step(self, batch: Any, index: int) -> None:
        """Train the maker, then the judge."""
        (x, _), (one, two) = batch, self.optimizers()  # type: ignore[misc]
        made = self.maker(torch.randn(len(x), 6))
        self._update(one, self._judged(made, 1.0), self.maker)
        judged = self._judged(x, 1.0) + self._judged(made.detach(), 0.0)
        self._update(two, judged / 2, self.judge)

    def _judged(self, x: Tensor, wanted: float) -> Tensor:
        out = self.judge(x)
        return F.binary_cross_entropy_with_logits(out, torch.full_like(out, wanted))

    def _update(self, optimizer: Any, loss: Tensor, trained: nn.Module) -> None:
        self.toggle_optimizer(optimizer)
        optimizer.zero_grad()
        self.manual_backward(loss)
        self.clip_gradients(optimizer, 1.0, "norm")
        optimizer.step()
        self.untoggle_optimizer(optimizer)

    def configure_optimizers(self) -> Any:
        """Return two optimisers."""
        return [torch.optim.Adam(part.parameters(), 1e-3) for part in (self.maker, self.judge)]


def train(model: pl.LightningModule, validated: bool = False, **options: Any) -> None:
    """Train a module with the Trainer."""
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    quiet |= {"enable_model_summary": False, "accelerator": "cpu", "max_epochs": _EPOCHS}
    trainer = pl.Trainer(default_root_dir=tempfile.mkdtemp(), **{**quiet, **options})
    trainer.fit(model, rows(), rows(shuffle=False) if validated else None)


def plain() -> None:
    train(Classifier())


def validated() -> None:
    train(Classifier(), validated=True, val_check_interval=4)


def accumulated() -> None:
    train(Classifier(), accumulate_grad_batches=3)


def accumulated_by_plan() -> None:
    train(Classifier(), callbacks=[callbacks.GradientAccumulationScheduler({0: 2, 1: 3})])


def clipped_by_norm() -> None:
    train(Classifier(), gradient_clip_val=0.5)


def clipped_by_value() -> None:
    train(Classifier(), gradient_clip_val=0.01, gradient_clip_algorithm="value")


def clipped_and_accumulated() -> None:
    train(Classifier(), gradient_clip_val=0.5, accumulate_grad_batches=3)


def averaged_by_ema() -> None:
    train(Classifier(), validated=True, callbacks=[callbacks.EMAWeightAveraging(decay=0.9)])


def averaged_stochastically() -> None:
    average = callbacks.StochasticWeightAveraging(swa_lrs=1e-2, swa_epoch_start=1)
    train(Classifier("epoch"), callbacks=[average])


def plateau() -> None:
    train(Classifier("plateau"), validated=True)


def by_hand() -> None:
    train(Pair())


def half_precision() -> None:
    train(Classifier(), precision="bf16-mixed")


def fabric() -> None:
    _fabric(1)


def fabric_accumulated() -> None:
    _fabric(3)


def _fabric(every: int) -> None:
    from lightning.fabric import Fabric

    fabric = Fabric(accelerator="cpu", devices=1)
    model = network()
    model, optimizer = fabric.setup(model, torch.optim.AdamW(model.parameters(), 1e-3))
    loader = fabric.setup_dataloaders(rows())
    for _ in range(_EPOCHS):
        for number, (x, y) in enumerate(loader, 1):
            with fabric.no_backward_sync(model, enabled=bool(number % every)):
                fabric.backward(F.cross_entropy(model(x), y) / every)
            if number % every == 0:
                fabric.clip_gradients(model, optimizer, max_norm=1.0)
                optimizer.step()
                optimizer.zero_grad()


def main() -> None:
    torch.manual_seed(0)
    globals()[sys.argv[1]]()


if __name__ == "__main__":
    main()
