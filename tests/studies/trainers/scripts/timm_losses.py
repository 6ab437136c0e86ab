"""Trainings with losses, mixing, schedules and averages of timm: ``python timm_losses.py NAME``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import timm
import torch
from timm import loss as losses
from timm import task as tasks
from timm.data.mixup import Mixup
from timm.optim import create_optimizer_v2
from timm.scheduler import create_scheduler_v2
from timm.utils import ModelEmaV3, adaptive_clip_grad
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

_CLASSES, _ROWS, _EPOCHS = 5, 24, 3


def resnet() -> nn.Module:
    """Return a small ResNet."""
    sizes = {"channels": (6, 8, 10, 12), "stem_width": 6, "layers": (1, 1, 1, 1)}
    return timm.create_model("resnet18", num_classes=_CLASSES, **sizes)


def transformer(name: str = "vit_tiny_patch16_224") -> nn.Module:
    """Return a small vision transformer."""
    sizes = {"img_size": 16, "patch_size": 8, "embed_dim": 16, "depth": 2, "num_heads": 2}
    return timm.create_model(name, num_classes=_CLASSES, **sizes)


def images(size: int = 16, several: bool = False) -> DataLoader:
    """Return batches of images with a class, or with several."""
    classes = torch.randint(_CLASSES, (_ROWS,))
    if several:
        classes = (torch.rand(_ROWS, _CLASSES) < 0.3).float()
    data = TensorDataset(torch.randn(_ROWS, 3, size, size), classes)
    return DataLoader(data, batch_size=4, shuffle=True, drop_last=True)


def train(
    model: nn.Module,
    loss: Callable[[Tensor, Tensor], Tensor],
    mix: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]] | None = None,
    schedule: str = "cosine",
    several: bool = False,
    optimizer: Any = None,
    clip: Callable[[nn.Module], Any] | None = None,
    average: ModelEmaV3 | None = None,
    called: Callable[[Tensor, Tensor], Tensor] | None = None,
) -> None:
    """Train a model as timm's own script does it."""
    loader = images(several=several)
    updating = optimizer or create_optimizer_v2(model, "adamw", lr=1e-3, weight_decay=0.05)
    steps = len(loader)
    by = {"step_on_epochs": schedule == "plateau", "updates_per_epoch": steps}
    plan, epochs = create_scheduler_v2(updating, schedule, _EPOCHS, warmup_epochs=1, **by)
    updates = 0
    for epoch in range(min(epochs, _EPOCHS)):
        model.train()
        total = 0.0
        for x, y in loader:
            if mix is not None:
                x, y = mix(x, y)
            value = called(x, y) if called else loss(model(x), y)
            updating.zero_grad()
            value.backward()
            if clip is not None:
                clip(model)
            updating.step()
            updates += 1
            total += value.item()
            if average is not None:
                average.update(model, step=updates)
            plan.step_update(updates, metric=total)
        plan.step(epoch + 1, total)
        print(f"epoch {epoch}: loss {total / steps:.3f}")


def smoothed() -> None:
    train(resnet(), losses.LabelSmoothingCrossEntropy(0.1))


def mixed() -> None:
    mix = Mixup(mixup_alpha=0.8, num_classes=_CLASSES)
    train(resnet(), losses.SoftTargetCrossEntropy(), mix)


def mixed_and_cut_by_element() -> None:
    mix = Mixup(mixup_alpha=0.8, cutmix_alpha=1.0, mode="elem", num_classes=_CLASSES)
    train(transformer(), losses.SoftTargetCrossEntropy(), mix)


def mixed_and_cut_by_pair() -> None:
    mix = Mixup(mixup_alpha=0.8, cutmix_alpha=1.0, mode="pair", num_classes=_CLASSES)
    train(transformer(), losses.SoftTargetCrossEntropy(), mix)


def mixed_binary() -> None:
    mix = Mixup(mixup_alpha=0.2, cutmix_alpha=1.0, num_classes=_CLASSES, label_smoothing=0.1)
    train(transformer(), losses.BinaryCrossEntropy(target_threshold=0.2), mix)


def binary() -> None:
    train(resnet(), losses.BinaryCrossEntropy(smoothing=0.1))


def binary_summed_over_classes() -> None:
    train(resnet(), losses.BinaryCrossEntropy(smoothing=0.1, sum_classes=True))


def asymmetric() -> None:
    train(resnet(), losses.AsymmetricLossSingleLabel())


def asymmetric_of_several() -> None:
    train(resnet(), losses.AsymmetricLossMultiLabel(), several=True)


def two_way() -> None:
    train(resnet(), losses.TwoWayLoss(), several=True)


def zero_bounded_ranking() -> None:
    train(resnet(), losses.ZlprLoss(), several=True)


def polynomial_loss() -> None:
    train(resnet(), losses.PolyCrossEntropy())


def polynomial_loss_of_several() -> None:
    train(resnet(), losses.PolyBinaryCrossEntropy(), several=True)


def augmented_thrice() -> None:
    """Three views of each image, their distributions drawn together."""

    def views(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        return torch.cat([x, x + 0.1 * torch.randn_like(x), x.flip(-1)]), y

    train(resnet(), losses.JsdCrossEntropy(num_splits=3), views)


def averaged() -> None:
    model = resnet()
    average = ModelEmaV3(model, decay=0.9, use_warmup=True)
    train(model, losses.LabelSmoothingCrossEntropy(0.1), average=average)


def clipped_by_ratio() -> None:
    clip = lambda model: adaptive_clip_grad(model.parameters(), clip_factor=0.01)  # noqa: E731
    train(transformer(), losses.LabelSmoothingCrossEntropy(0.1), clip=clip)


def rates_by_layer() -> None:
    model = transformer()
    optimizer = create_optimizer_v2(model, "adamw", lr=1e-3, layer_decay=0.7, weight_decay=0.05)
    train(model, losses.LabelSmoothingCrossEntropy(0.1), optimizer=optimizer)


def lamb() -> None:
    model = transformer()
    optimizer = create_optimizer_v2(model, "lamb", lr=1e-3, weight_decay=0.02)
    train(model, losses.BinaryCrossEntropy(), optimizer=optimizer)


def tangent() -> None:
    train(transformer(), losses.LabelSmoothingCrossEntropy(0.1), schedule="tanh")


def stepped() -> None:
    train(transformer(), losses.LabelSmoothingCrossEntropy(0.1), schedule="step")


def polynomial_rate() -> None:
    train(transformer(), losses.LabelSmoothingCrossEntropy(0.1), schedule="poly")


def plateau() -> None:
    train(transformer(), losses.LabelSmoothingCrossEntropy(0.1), schedule="plateau")


def _distilled(kind: Any, student: nn.Module, **more: Any) -> None:
    teacher = tasks.DistillationTeacher(resnet())
    task = kind(student, teacher, criterion=losses.LabelSmoothingCrossEntropy(0.1), **more)
    task.train()
    train(student, losses.LabelSmoothingCrossEntropy(), called=lambda x, y: task(x, y)["loss"])


def distilled_logits() -> None:
    _distilled(tasks.LogitDistillationTask, resnet())


def distilled_features() -> None:
    _distilled(tasks.FeatureDistillationTask, resnet())


def distilled_tokens() -> None:
    _distilled(tasks.TokenDistillationTask, transformer("deit_tiny_distilled_patch16_224"))


def main() -> None:
    torch.manual_seed(0)
    import numpy

    numpy.random.seed(0)
    globals()[sys.argv[1]]()


if __name__ == "__main__":
    main()
