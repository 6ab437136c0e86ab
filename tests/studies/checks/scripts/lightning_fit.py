"""A classifier that Lightning trains and validates."""

import lightning
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Classifier(lightning.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 5))

    def training_step(self, batch: list[torch.Tensor]) -> torch.Tensor:
        x, y = batch
        return nn.functional.cross_entropy(self.layers(x), y)

    def validation_step(self, batch: list[torch.Tensor]) -> None:
        x, y = batch
        self.log("loss", nn.functional.cross_entropy(self.layers(x), y))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), 1e-3)


def make_loader(samples: int) -> DataLoader:
    data = TensorDataset(torch.randn(samples, 32), torch.randint(5, (samples,)))
    return DataLoader(data, batch_size=16)


def main() -> None:
    lightning.seed_everything(0)
    trainer = lightning.Trainer(
        max_epochs=1, logger=False, enable_checkpointing=False, enable_progress_bar=False
    )
    trainer.fit(Classifier(), make_loader(1024), make_loader(128))


if __name__ == "__main__":
    main()
