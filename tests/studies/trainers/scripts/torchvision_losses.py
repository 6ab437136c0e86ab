"""Trainings with losses and detectors of torchvision: ``python torchvision_losses.py NAME``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, default_collate
from torchvision import ops
from torchvision.models import GoogLeNet, segmentation
from torchvision.models import detection as detectors
from torchvision.models.detection.anchor_utils import AnchorGenerator, DefaultBoxGenerator
from torchvision.models.detection.backbone_utils import BackboneWithFPN
from torchvision.models.detection.ssd import SSD
from torchvision.models.segmentation.fcn import FCNHead
from torchvision.transforms import v2

_CLASSES, _ROWS, _EPOCHS = 5, 16, 3


class Body(nn.Module):
    """A convolutional network of two stages, for images of 32 pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU())
        self.second = nn.Sequential(nn.Conv2d(8, 12, 3, 2, 1), nn.BatchNorm2d(12), nn.ReLU())
        self.out_channels = 12

    def forward(self, x: Tensor) -> Tensor:
        """Return the features of the second stage."""
        out: Tensor = self.second(self.first(x))
        return out


class Classifier(nn.Module):
    """The body, with a head for classes or numbers."""

    def __init__(self, outputs: int = _CLASSES) -> None:
        super().__init__()
        self.body, self.head = Body(), nn.Linear(12, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Return the head's outputs of the mean over places."""
        out: Tensor = self.head(self.body(x).mean((2, 3)))
        return out


def _apart(batch: list[Any]) -> tuple[list[Any], ...]:
    return tuple(zip(*batch, strict=True))  # type: ignore[return-value]


def classified(size: int = 32) -> list[tuple[Tensor, int]]:
    """Return images with a class."""
    return [(torch.randn(3, size, size), int(torch.randint(_CLASSES, ()))) for _ in range(_ROWS)]


def boxes(number: int) -> Tensor:
    """Return boxes in an image of 32 pixels."""
    corner = torch.rand(number, 2) * 16
    return torch.cat([corner, corner + 6 + torch.rand(number, 2) * 9], 1)


def detected(masks: bool = False) -> list[tuple[Tensor, dict[str, Tensor]]]:
    """Return images with boxes, their classes, and with masks."""
    rows = []
    for row in range(_ROWS):
        number = 1 + row % 3
        target = {"boxes": boxes(number), "labels": torch.randint(1, _CLASSES, (number,))}
        if masks:
            target["masks"] = (torch.rand(number, 32, 32) < 0.5).to(torch.uint8)
        rows.append((torch.rand(3, 32, 32), target))
    return rows


def train(
    model: nn.Module,
    rows: list[Any],
    loss: Callable[[Any, Any], Tensor],
    collate: Any = default_collate,
    average: Any = None,
) -> None:
    """Train a model as torchvision's references do it."""
    loader = DataLoader(rows, batch_size=4, shuffle=True, collate_fn=collate)  # type: ignore[arg-type]
    optimizer = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, _EPOCHS)
    for epoch in range(_EPOCHS):
        model.train()
        for x, y in loader:
            value = loss(x, y)
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            if average is not None:
                average.update_parameters(model)
        schedule.step()
        print(f"epoch {epoch}: loss {value.item():.3f}")


def focal() -> None:
    model = Classifier()

    def loss(x: Tensor, y: Tensor) -> Tensor:
        hot = F.one_hot(y, _CLASSES).to(x.dtype)
        return ops.sigmoid_focal_loss(model(x), hot, reduction="mean")

    train(model, classified(), loss)


def _boxes_by(measure: Callable[..., Tensor]) -> None:
    model = Classifier(4)

    def loss(x: Tensor, y: Tensor) -> Tensor:
        numbers = model(x)
        corner = numbers[:, :2]
        return measure(torch.cat([corner, corner + F.softplus(numbers[:, 2:])], 1), y, "mean")

    rows = [(torch.randn(3, 32, 32), boxes(1)[0] / 16) for _ in range(_ROWS)]
    train(model, rows, loss)


def generalised_boxes() -> None:
    _boxes_by(ops.generalized_box_iou_loss)


def distances_of_boxes() -> None:
    _boxes_by(ops.distance_box_iou_loss)


def complete_boxes() -> None:
    _boxes_by(ops.complete_box_iou_loss)


def _mixed(mix: Any) -> None:
    model = Classifier()
    loss = nn.CrossEntropyLoss(label_smoothing=0.1)

    def collate(batch: list[Any]) -> Any:
        return mix(*default_collate(batch))

    train(model, classified(), lambda x, y: loss(model(x), y), collate)


def mixed() -> None:
    _mixed(v2.MixUp(num_classes=_CLASSES))


def cut() -> None:
    _mixed(v2.CutMix(num_classes=_CLASSES))


def averaged() -> None:
    model = Classifier()
    average = torch.optim.swa_utils.AveragedModel(
        model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.9), use_buffers=True
    )
    train(model, classified(), lambda x, y: F.cross_entropy(model(x), y), average=average)


def auxiliary_heads() -> None:
    model = GoogLeNet(num_classes=_CLASSES, aux_logits=True, init_weights=False, dropout_aux=0.0)

    def loss(x: Tensor, y: Tensor) -> Tensor:
        out = model(x)
        near = F.cross_entropy(out.aux_logits1, y) + F.cross_entropy(out.aux_logits2, y)
        return F.cross_entropy(out.logits, y) + 0.3 * near

    train(model, classified(64), loss)


def segmented() -> None:
    class Features(Body):
        def forward(self, x: Tensor) -> Any:
            first = self.first(x)
            return {"aux": first, "out": self.second(first)}

    model = segmentation.FCN(Features(), FCNHead(12, _CLASSES), FCNHead(8, _CLASSES))

    def loss(x: Tensor, y: Tensor) -> Tensor:
        out = model(x)
        return sum(  # type: ignore[return-value]
            weight * F.cross_entropy(out[name], y, ignore_index=255)
            for name, weight in {"out": 1.0, "aux": 0.5}.items()
        )

    classes = torch.randint(_CLASSES, (_ROWS, 32, 32))
    classes[torch.rand(classes.shape) < 0.1] = 255
    train(model, [(torch.randn(3, 32, 32), each) for each in classes], loss)


def _anchors() -> AnchorGenerator:
    return AnchorGenerator(((8, 16),), ((0.5, 1.0),))


def _detect(kind: Any, body: Any = None, masks: bool = False, **more: Any) -> None:
    size = {"min_size": 32, "max_size": 32}
    model = kind(body or Body(), num_classes=_CLASSES, **size, **more)

    def loss(x: list[Tensor], y: list[Any]) -> Tensor:
        return sum(model(list(x), list(y)).values())  # type: ignore[return-value]

    train(model, detected(masks), loss, _apart)


def faster_rcnn() -> None:
    pool = ops.MultiScaleRoIAlign(["0"], 4, 2)
    _detect(detectors.FasterRCNN, rpn_anchor_generator=_anchors(), box_roi_pool=pool)


def mask_rcnn() -> None:
    pools = {f"{name}_roi_pool": ops.MultiScaleRoIAlign(["0"], 4, 2) for name in ("box", "mask")}
    _detect(detectors.MaskRCNN, masks=True, rpn_anchor_generator=_anchors(), **pools)


def retinanet() -> None:
    _detect(detectors.RetinaNet, anchor_generator=_anchors())


def fcos() -> None:
    class Wide(nn.Sequential):
        out_channels = 32  # as many as the head has groups

    anchors = AnchorGenerator(((8,),), ((1.0,),))
    body = Wide(Body(), nn.Conv2d(12, 32, 1))
    _detect(detectors.FCOS, body, anchor_generator=anchors)


def single_shot() -> None:
    body = BackboneWithFPN(Body(), {"first": "0", "second": "1"}, [8, 12], 8)
    body.out_channels = [8] * 3  # type: ignore[assignment]
    model = SSD(body, DefaultBoxGenerator([[2], [2], [2]]), (32, 32), _CLASSES)

    def loss(x: list[Tensor], y: list[Any]) -> Tensor:
        return sum(model(list(x), list(y)).values())  # type: ignore[return-value]

    train(model, detected(), loss, _apart)


def main() -> None:
    torch.manual_seed(0)
    globals()[sys.argv[1]]()


if __name__ == "__main__":
    main()
