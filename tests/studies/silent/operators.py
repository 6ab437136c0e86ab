"""The mutation operators of DeepCrime, ported to three sound scripts of this repository."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.studies.silent.pairs import PAIRS

_IMAGES, _HOUSES = (p.twin for p in PAIRS if p.name in ("softmax_in_the_model", "house_prices"))
_STOPPING = Path(__file__).parents[2].joinpath("sound/scripts/loop/early_stopping.py")
SOUND = {"images": _IMAGES, "houses": _HOUSES, "stopping": _STOPPING.read_text("utf-8")}
Changes = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Operator:
    """An operator, by its name in DeepCrime, and how it changes the scripts that it applies to."""

    name: str
    does: str
    images: tuple[Changes, ...] = ()  # one for each parameter of the operator
    houses: tuple[Changes, ...] = ()
    stopping: tuple[Changes, ...] = ()
    undone: bool = field(default=False, kw_only=True)  # whether the changed script is the sound one
    upon: tuple[tuple[Changes, ...], ...] = field(default=((), (), ()), kw_only=True)  # made before


def _one(old: str, new: str) -> tuple[Changes, ...]:
    return (((old, new),),)


def _each(old: str, *new: str) -> tuple[Changes, ...]:
    return tuple(((old, each),) for each in new)


def _before(old: str, *lines: str) -> tuple[Changes, ...]:
    return _each(old, *(f"{line}\n{old}" for line in lines))


_LOADER = "loader = DataLoader("
_TENSORS = "TensorDataset(images, labels)"
_MORE = "images = torch.cat([images, images[:16]])\nlabels = torch.cat([labels, 3 - labels[:16]])"
_FEWER = (
    "kept = (labels != 0) | (torch.arange(64) < 16)\nimages, labels = images[kept], labels[kept]"
)
_STEP = "optimizer.step()"
_CLIP = "nn.utils.clip_grad_value_({}.parameters(), 0.001); optimizer.step()"
_STARTS = "nn.init.zeros_", "nn.init.ones_", "nn.init.normal_"
_ROWS = "torch.randn(64, 8), torch.randn(64, 1)"
_LOSS = "loss = criterion(model(columns).squeeze(1), prices)"
_BIAS = (
    _one("nn.Linear(54, 10)", "nn.Linear(54, 10, bias=False)"),
    _one("nn.Linear(7, 16)", "nn.Linear(7, 16, bias=False)"),
    _one("nn.Linear(8, 16)", "nn.Linear(8, 16, bias=False)"),
)
_WEIGHTS = (
    _one("criterion(net(x), y)", "criterion(net(x), y) + 0.01 * net.classifier[0].weight.norm()"),
    _one(_LOSS, f"{_LOSS} + 0.01 * model[0].weight.norm()"),
    _one("mse_loss(model(x), y).back", "mse_loss(model(x), y).add(model[0].weight.norm()).back"),
)

OPERATORS = (
    Operator("TCL", "other labels", _before(_LOADER, "labels[:16] = 3")),
    Operator(
        "TRD",
        "fewer samples",
        _one(_TENSORS, "TensorDataset(images[:48], labels[:48])"),
        _one("Houses(96)", "Houses(64)"),
        _one(_ROWS, "torch.randn(48, 8), torch.randn(48, 1)"),
    ),
    Operator("TUD", "classes of other sizes", _before(_LOADER, _FEWER)),
    Operator(
        "TAN",
        "noise in the samples",
        _before(_LOADER, "images += torch.randn_like(images)"),
        _one(
            "self.prices = (self.columns**2)",
            "self.prices = (torch.randn(count, 7) + self.columns**2)",
        ),
        _one(_ROWS, "torch.randn(64, 8) + torch.randn(64, 8), torch.randn(64, 1)"),
    ),
    Operator("TCO", "classes that overlap", _before(_LOADER, _MORE)),
    Operator(
        "HBS",
        "another batch size",
        _one("batch_size=8", "batch_size=2"),
        _one("batch_size=16", "batch_size=2"),
        _one("64, 1)), 16", "64, 1)), 2"),
    ),
    Operator(
        "HLR",
        "another rate",
        _one("lr=1e-3", "lr=1.0"),
        _one("lr=1e-2", "lr=1.0"),
        _one("Adam(model.parameters())", "Adam(model.parameters(), lr=1.0)"),
    ),
    Operator(
        "HNE",
        "fewer epochs",
        _one("range(2)", "range(1)"),
        _one("range(2)", "range(1)"),
        _one("range(8)", "range(1)"),
    ),
    Operator(
        "HDB",
        "one batch",
        _one("batch_size=8", "batch_size=64"),
        _one("batch_size=16", "batch_size=96"),
        _one("64, 1)), 16", "64, 1)), 64"),
    ),
    Operator(
        "ACH",
        "another activation",
        _one("nn.ReLU(), nn.Linear(10, 4)", "nn.Sigmoid(), nn.Linear(10, 4)"),
        _one("nn.ReLU()", "nn.Sigmoid()"),
    ),
    Operator(
        "ARM",
        "an activation less",
        _one("nn.ReLU(), nn.Linear(10, 4)", "nn.Linear(10, 4)"),
        _one("nn.ReLU(), ", ""),
    ),
    Operator(
        "AAL",
        "an activation more, on the last layer",
        _each("nn.Linear(10, 4)", "nn.Linear(10, 4), nn.ReLU()", "nn.Linear(10, 4), nn.Softmax(1)"),
        _each("nn.Linear(16, 1)", "nn.Linear(16, 1), nn.ReLU()", "nn.Linear(16, 1), nn.Softmax(1)"),
        _each("nn.Linear(16, 1)", "nn.Linear(16, 1), nn.ReLU()", "nn.Linear(16, 1), nn.Softmax(1)"),
    ),
    Operator("RAW", "a penalty of weights more", *_WEIGHTS),
    Operator(
        "RCW",
        "another penalty of weights",
        *[_one("weight.norm()", "weight.abs().sum()")] * 3,
        upon=_WEIGHTS,
    ),
    Operator("RRW", "a penalty of weights less", *_WEIGHTS, undone=True),
    Operator(
        "RCD",
        "another rate of dropout",
        houses=_one("Dropout(0.1)", "Dropout(0.75)"),
        stopping=_one("Dropout(0.1)", "Dropout(0.75)"),
    ),
    Operator("RCP", "another patience", stopping=_one("waited > 2", "waited > 0")),
    Operator(
        "WCI",
        "another start of a layer's weights",
        _before("optimizer = ", *(f"{start}(net.classifier[0].weight)" for start in _STARTS)),
        _before("    optimizer = ", *(f"    {start}(model[0].weight)" for start in _STARTS)),
        _before("optimizer = ", *(f"{start}(model[0].weight)" for start in _STARTS)),
    ),
    Operator("WAB", "a bias more", *_BIAS, undone=True),
    Operator("WRB", "a bias less", *_BIAS),
    Operator(
        "LCH",
        "another loss",
        _one(
            "nn.CrossEntropyLoss()",
            "lambda out, y: nn.functional.mse_loss(out, torch.eye(4)[y])",
        ),
        _one("nn.MSELoss()", "nn.L1Loss()"),
        _one("mse_loss(model(x), y).back", "l1_loss(model(x), y).back"),
    ),
    Operator(
        "OCH",
        "another optimiser",
        _one("optim.Adam", "optim.SGD"),
        _one("optim.Adam", "optim.SGD"),
        _one("optim.Adam(", "optim.SGD("),
    ),
    Operator(
        "OCG",
        "another limit of gradients",
        _one(_STEP, _CLIP.format("net")),
        _one(_STEP, _CLIP.format("model")),
        _one("(), 1.0)", "(), 0.01)"),
    ),
    Operator(
        "VRM",
        "no samples for the validation",
        stopping=_one("for x, y in valid)", "for x, y in train)"),
    ),
)


def mutated(operator: Operator) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield each mutant of an operator: its name, its script and the sound one."""
    for place, (script, sound) in enumerate(SOUND.items()):
        for changes in operator.upon[place]:
            sound = _changed(sound, changes)
        for number, changes in enumerate(getattr(operator, script)):
            pair = _changed(sound, changes), sound
            yield f"{operator.name}{number or ''}-{script}", pair[::-1] if operator.undone else pair


def _changed(text: str, changes: Changes) -> str:
    for old, new in changes:
        if text.count(old) != 1:
            raise ValueError(f"{old!r} stands there {text.count(old)} times")
        text = text.replace(old, new)
    return text
