"""The sound trainings: every way to write a step that people use."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import lr_scheduler, swa_utils

from tests.sound.trainings import models
from tests.sound.trainings.models import labels, numbers, tokens

SOUND: dict[str, Callable[[], Any]] = {}


def sound(make: Callable[[], Any]) -> Callable[[], Any]:
    """Enter the decorated training into the zoo and leave it as it is."""
    SOUND[make.__name__] = make
    return make


def classify(model: nn.Module, i: int, *shape: int, classes: int = 4) -> Tensor:
    """Return the loss on a batch that is a function of i."""
    shape = shape or (12, 6)
    return F.cross_entropy(model(numbers(*shape, seed=i)), labels(shape[0], classes, seed=i))


def plain(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    loss: Callable[[int], Tensor],
    *after: Callable[[], Any],
) -> tuple[nn.Module, Callable[[int], None]]:
    """Return the model and a step of three lines, and what follows it."""

    def step(i: int) -> None:
        optimizer.zero_grad()
        loss(i).backward()
        optimizer.step()
        for call in after:
            call()

    return model, step


def pausing(model: nn.Module, optimizer: torch.optim.Optimizer) -> Any:
    """Return a training whose first step drops its gradients."""

    def step(i: int) -> None:
        optimizer.zero_grad()
        classify(model, i).backward()
        if i == 0:
            optimizer.zero_grad()
        optimizer.step()

    return model, step


@sound
def mlp_after_a_pause() -> Any:
    model = models.MLP()
    return pausing(model, torch.optim.SGD(model.parameters(), 0.1))


@sound
def mlp_with_a_frozen_stage() -> Any:
    model = models.MLP()
    model.fc1.requires_grad_(False)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    return plain(model, optimizer, lambda i: classify(model, i))


@sound
def mlp_sgd() -> Any:
    model = models.MLP()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    return plain(model, optimizer, lambda i: classify(model, i))


@sound
def mlp_momentum_and_decay() -> Any:
    model = models.MLP(nn.Tanh())
    optimizer = torch.optim.SGD(
        model.parameters(), 0.1, momentum=0.9, nesterov=True, weight_decay=1e-2
    )
    return plain(model, optimizer, lambda i: classify(model, i))


@sound
def mlp_adam() -> Any:
    model = models.MLP()
    return plain(model, torch.optim.Adam(model.parameters(), 1e-2), lambda i: classify(model, i))


@sound
def mlp_adamw_foreach_clipped() -> Any:
    model = models.MLP(nn.GELU())
    optimizer = torch.optim.AdamW(model.parameters(), 1e-2, foreach=True)

    def step(i: int) -> None:
        optimizer.zero_grad()
        classify(model, i).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimizer.step()

    return model, step


@sound
def mlp_rmsprop() -> Any:
    model = models.MLP()
    optimizer = torch.optim.RMSprop(model.parameters(), 1e-3, momentum=0.5, centered=True)
    return plain(model, optimizer, lambda i: classify(model, i))


@sound
def mlp_lbfgs() -> Any:
    model = models.MLP(nn.Tanh())
    optimizer = torch.optim.LBFGS(model.parameters(), 0.1, max_iter=4)

    def step(i: int) -> None:
        def closure() -> Tensor:
            optimizer.zero_grad()
            loss = classify(model, 0)
            loss.backward()
            return loss

        optimizer.step(closure)

    return model, step


@sound
def mlp_accumulation() -> Any:
    model = models.MLP()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)

    def step(i: int) -> None:
        for part in range(3):
            (classify(model, 3 * i + part) / 3).backward()
        optimizer.step()
        optimizer.zero_grad()

    return model, step


@sound
def mlp_schedule_and_average() -> Any:
    model = models.MLP()
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    warm = lr_scheduler.LinearLR(optimizer, 0.1, total_iters=2)
    cosine = lr_scheduler.CosineAnnealingLR(optimizer, 10)
    schedule = lr_scheduler.SequentialLR(optimizer, [warm, cosine], [2])
    ema = swa_utils.AveragedModel(model, multi_avg_fn=swa_utils.get_ema_multi_avg_fn(0.9))
    update = functools.partial(ema.update_parameters, model)
    return plain(model, optimizer, lambda i: classify(model, i), schedule.step, update)


@sound
def mlp_given_batches() -> Any:
    model = models.MLP()
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)

    def step(batch: tuple[Tensor, Tensor]) -> None:
        optimizer.zero_grad()
        F.cross_entropy(model(batch[0]), batch[1]).backward()
        optimizer.step()

    return model, step, {"batch": lambda i: (numbers(12, 6, seed=i), labels(12, 4, seed=i))}


@sound
def mlp_compiled() -> Any:
    model = models.MLP()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    compiled = torch.compile(model, backend="aot_eager")
    return plain(model, optimizer, lambda i: classify(compiled, i))


@sound
def mlp_functional_gradient() -> Any:
    """No backward at all: torch.func, and an update by hand."""
    model = models.MLP(nn.Tanh())

    def step(i: int) -> Tensor:
        def loss_of(parameters: dict[str, Tensor]) -> Tensor:
            out = torch.func.functional_call(model, parameters, (numbers(12, 6, seed=i),))
            return F.cross_entropy(out, labels(12, 4, seed=i))

        parameters = {name: p.detach() for name, p in model.named_parameters()}
        gradients, loss = torch.func.grad_and_value(loss_of)(parameters)
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                parameter -= 0.1 * gradients[name]
        return loss

    return model, step


@sound
def cnn_adam() -> Any:
    model = models.CNN()
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    return plain(model, optimizer, lambda i: classify(model, i, 6, 2, 8, 8))


@sound
def cnn_autocast() -> Any:
    model = models.CNN()
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)

    def loss(i: int) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return classify(model, i, 6, 2, 8, 8)

    return plain(model, optimizer, loss)


@sound
def cnn_of_small_inputs() -> Any:
    """Variances of 1e-10 hardly move the running ones, which belong to channels all the same."""
    model = models.CNN()
    model.conv1.register_parameter("bias", None)  # it would drown what it is added to
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)

    def loss(i: int) -> Tensor:
        return F.cross_entropy(model(1e-5 * numbers(6, 2, 8, 8, seed=i)), labels(6, 4, seed=i))

    return plain(model, optimizer, loss)


@sound
def residual_scaled() -> Any:
    """Gradients scaled, unscaled and clipped."""
    model = models.Residual()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    scaler = torch.amp.GradScaler("cpu")

    def step(i: int) -> None:
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            loss = classify(model, i, 6, 2, 8, 8)
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()

    return model, step


@sound
def residual_rmsprop() -> Any:
    model = models.Residual()
    optimizer = torch.optim.RMSprop(model.parameters(), 1e-3)
    return plain(model, optimizer, lambda i: classify(model, i, 6, 2, 8, 8))


@sound
def depthwise_sgd() -> Any:
    model = models.Depthwise()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    return plain(model, optimizer, lambda i: classify(model, i, 6, 2, 6, 6))


@sound
def unet_adadelta() -> Any:
    model = models.UNet()
    optimizer = torch.optim.Adadelta(model.parameters())

    def loss(i: int) -> Tensor:
        x = numbers(3, 2, 8, 8, seed=i)
        return F.binary_cross_entropy_with_logits(model(x), (x.sum(1, keepdim=True) > 0).float())

    return plain(model, optimizer, loss)


def language(model: nn.Module, i: int) -> Tensor:
    text = tokens(4, 8, seed=i)
    return F.cross_entropy(model(text[:, :-1]).flatten(0, 1), text[:, 1:].flatten())


@sound
def gpt_adamw() -> Any:
    model = models.GPT()
    decayed = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim < 2]
    groups = [{"params": decayed, "weight_decay": 0.1}, {"params": others, "weight_decay": 0}]
    optimizer = torch.optim.AdamW(groups, 1e-2, fused=True)
    schedule = lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=10)
    return plain(model, optimizer, lambda i: language(model, i), schedule.step)


@sound
def gpt_muon() -> Any:
    model = models.GPT(1, tied=False)
    inner = [p for p in model.blocks.parameters() if p.ndim == 2]
    others = [p for p in model.parameters() if not any(p is q for q in inner)]
    muon = torch.optim.Muon(inner, 0.02)
    adam = torch.optim.AdamW(others, 1e-2)

    def step(i: int) -> None:
        model.zero_grad()
        language(model, i).backward()
        muon.step()
        adam.step()

    return model, step


@sound
def gpt_checkpointed() -> Any:
    model = models.GPT(checkpointed=True)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    return plain(model, optimizer, lambda i: language(model, i))


@sound
def encoder_with_dropout() -> Any:
    model = models.Encoder()
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    return plain(model, optimizer, lambda i: classify(model, i, 4, 3, 5, classes=3))


@sound
def vit_nadam() -> Any:
    model = models.ViT()
    optimizer = torch.optim.NAdam(model.parameters(), 1e-3)
    return plain(model, optimizer, lambda i: classify(model, i, 4, 2, 8, 8))


@sound
def lstm_adam() -> Any:
    model = models.Recurrent(nn.LSTM)
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    return plain(model, optimizer, lambda i: classify(model, i, 4, 3, 5, classes=3))


@sound
def gru_bidirectional() -> Any:
    model = models.Recurrent(nn.GRU, bidirectional=True)
    optimizer = torch.optim.RMSprop(model.parameters(), 1e-3)
    return plain(model, optimizer, lambda i: classify(model, i, 4, 3, 5, classes=3))


@sound
def cell_adagrad() -> Any:
    model = models.Cell()
    optimizer = torch.optim.Adagrad(model.parameters(), 1e-2)
    return plain(model, optimizer, lambda i: classify(model, i, 4, 3, 5, classes=3))


@sound
def embedding_bag() -> Any:
    model = models.Bag()
    optimizer = torch.optim.Adamax(model.parameters(), 1e-2)

    def loss(i: int) -> Tensor:
        return F.cross_entropy(model(tokens(6, 5, seed=i)), labels(6, 3, seed=i))

    return plain(model, optimizer, loss)


@sound
def tied_autoencoder() -> Any:
    model = models.Autoencoder()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)

    def loss(i: int) -> Tensor:
        x = numbers(12, 6, seed=i)
        return F.mse_loss(model(x), x)

    return plain(model, optimizer, loss)


@sound
def variational_autoencoder() -> Any:
    model = models.VAE()
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)

    def loss(i: int) -> Tensor:
        x = numbers(12, 6, seed=i)
        out, mean, log = model(x)
        return F.mse_loss(out, x) + 0.1 * (mean.square() + log.exp() - log).mean()

    return plain(model, optimizer, loss)


@sound
def adversarial_pair() -> Any:
    """Two models, two optimisers, three backwards in a step."""
    model = nn.ModuleDict(
        {
            "generator": nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 2)),
            "critic": nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1)),
        }
    )
    generator, critic = model["generator"], model["critic"]
    for_critic = torch.optim.Adam(critic.parameters(), 1e-2, betas=(0.5, 0.9))
    for_generator = torch.optim.Adam(generator.parameters(), 1e-2)

    def judge(x: Tensor, real: bool) -> Tensor:
        out = critic(x)
        return F.binary_cross_entropy_with_logits(out, torch.full_like(out, float(real)))

    def step(i: int) -> None:
        noise = torch.randn(8, 3)
        for_critic.zero_grad()
        judge(numbers(8, 2, seed=i), True).backward()
        judge(generator(noise).detach(), False).backward()
        for_critic.step()
        for_generator.zero_grad()
        judge(generator(noise), True).backward()
        for_generator.step()

    return model, step


@sound
def soft_experts() -> Any:
    model = models.Experts()
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    return plain(model, optimizer, lambda i: classify(model, i))


@sound
def stacked_experts_in_a_loop() -> Any:
    model = models.RoutedExperts()
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    return plain(model, optimizer, lambda i: classify(model, i))


@sound
def experts_chosen_by_groups() -> Any:
    model = models.GroupedExperts()
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    return plain(model, optimizer, lambda i: classify(model, i, 40, 6))


@sound
def lazy_modules() -> Any:
    """Modules have their parameters after their first call."""
    model = nn.Sequential(nn.LazyLinear(9), nn.Tanh(), nn.LazyLinear(4))
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    return plain(model, optimizer, lambda i: classify(model, i))


@sound
def graph_convolution() -> Any:
    model = models.Graph()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    return plain(model, optimizer, lambda i: classify(model, i))


@sound
def weight_norm() -> Any:
    model = models.Normed("weight")
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    return plain(model, optimizer, lambda i: classify(model, i))


@sound
def spectral_norm() -> Any:
    model = models.Normed("spectral")
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    return plain(model, optimizer, lambda i: classify(model, i))


@sound
def gated_radam() -> Any:
    model = models.Gated()
    optimizer = torch.optim.RAdam(model.parameters(), 1e-2)
    return plain(model, optimizer, lambda i: classify(model, i))


@sound
def target_network() -> Any:
    """Q-learning: a frozen copy that is updated by hand."""
    model = nn.ModuleDict({"online": models.MLP()})
    model["target"] = copy.deepcopy(model["online"]).requires_grad_(False)
    optimizer = torch.optim.Adam(model["online"].parameters(), 1e-2)

    def loss(i: int) -> Tensor:
        values = model["online"](numbers(12, 6, seed=i)).gather(1, labels(12, 4, seed=i)[:, None])
        with torch.no_grad():
            best = model["target"](numbers(12, 6, seed=i + 1)).max(1, keepdim=True).values
        return F.smooth_l1_loss(values, 0.9 * best + 1)

    def follow() -> None:
        for slow, fast in zip(
            model["target"].parameters(), model["online"].parameters(), strict=True
        ):
            slow.data.lerp_(fast.data, 0.1)

    return plain(model, optimizer, loss, follow)


@sound
def distillation_in_half() -> Any:
    """A bfloat16 student of a float32 teacher that only the step holds."""
    teacher = models.MLP().requires_grad_(False)
    model = models.MLP().bfloat16()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)

    def loss(i: int) -> Tensor:
        x = numbers(12, 6, seed=i)
        return F.kl_div(
            model(x.bfloat16()).float().log_softmax(1), teacher(x).softmax(1), reduction="batchmean"
        )

    return plain(model, optimizer, loss)


@sound
def sharpness_aware() -> Any:
    """Two passes: the second one at a place that gradients of zero do not lead to."""
    model = models.MLP(nn.Tanh())
    optimizer = torch.optim.SGD(model.parameters(), 0.1)

    def step(i: int) -> None:
        classify(model, i).backward()
        with torch.no_grad():
            norm = torch.stack([p.grad.norm() for p in model.parameters()]).norm()
            ahead = [0.05 * p.grad / norm for p in model.parameters()]
            for p, way in zip(model.parameters(), ahead, strict=True):
                p.add_(way)
        optimizer.zero_grad()
        classify(model, i).backward()
        with torch.no_grad():
            for p, way in zip(model.parameters(), ahead, strict=True):
                p.sub_(way)
        optimizer.step()
        optimizer.zero_grad()

    return model, step


@sound
def predicting_a_slower_copy() -> Any:
    """BYOL: the copy's outputs follow those of the network, and are compared with a prediction."""
    online = nn.Sequential(nn.Linear(6, 9), nn.BatchNorm1d(9), nn.ReLU(), nn.Linear(9, 5))
    predictor = nn.Sequential(nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 5))
    target = copy.deepcopy(online).requires_grad_(False)
    model = nn.ModuleDict({"online": online, "predictor": predictor, "target": target})
    optimizer = torch.optim.AdamW([*online.parameters(), *predictor.parameters()], 1e-3)

    def loss(i: int) -> Tensor:
        x, y = numbers(12, 6, seed=i), numbers(12, 6, seed=i) + 0.1 * numbers(12, 6, seed=i + 7)
        return -F.cosine_similarity(predictor(online(x)), target(y)).mean()

    def follow() -> None:
        for slow, fast in zip(target.parameters(), online.parameters(), strict=True):
            slow.data.lerp_(fast.data, 0.01)

    return plain(model, optimizer, loss, follow)


@sound
def average_in_a_dictionary() -> Any:
    model = models.MLP()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    average = {name: p.detach().clone() for name, p in model.named_parameters()}

    def follow() -> None:
        for name, parameter in model.named_parameters():
            average[name].lerp_(parameter.detach(), 0.1)

    model, step = plain(model, optimizer, lambda i: classify(model, i), follow)
    return model, step, {"average": average}


class _Lookahead:
    """Every other step goes halfway back to slow weights, which lie in a list."""

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self.fast = [p for group in optimizer.param_groups for p in group["params"]]
        self.slow = [p.detach().clone() for p in self.fast]
        self.taken = 0

    def step(self) -> None:
        self.taken += 1
        if self.taken % 2 == 0:
            for slow, fast in zip(self.slow, self.fast, strict=True):
                slow.lerp_(fast.detach(), 0.5)
                fast.data.copy_(slow)

    def state_dict(self) -> dict[str, Any]:
        return {"slow": self.slow, "taken": self.taken}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.taken = state["taken"]
        for slow, saved in zip(self.slow, state["slow"], strict=True):
            slow.copy_(saved)


@sound
def slow_weights_in_a_list() -> Any:
    model = models.MLP()
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    lookahead = _Lookahead(optimizer)
    model, step = plain(model, optimizer, lambda i: classify(model, i), lookahead.step)
    return model, step, {"lookahead": lookahead}


@sound
def master_weights() -> Any:
    """A bfloat16 model is a copy of float32 weights, which alone the optimiser holds."""
    model = models.MLP().bfloat16()
    master = [p.detach().float() for p in model.parameters()]
    optimizer = torch.optim.SGD(master, 0.1, momentum=0.9)

    def step(i: int) -> None:
        model.zero_grad()
        x = numbers(12, 6, seed=i).bfloat16()
        F.cross_entropy(model(x).float(), labels(12, 4, seed=i)).backward()
        for weight, parameter in zip(master, model.parameters(), strict=True):
            weight.grad = parameter.grad.to(weight.dtype)
        optimizer.step()
        for weight, parameter in zip(master, model.parameters(), strict=True):
            parameter.data.copy_(weight)

    return model, step, {"master": dict(enumerate(master))}


class _Centred(nn.Module):
    """Subtracts means, and gives the name of their average to a new tensor in each step."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(size))

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean(0)
        self.mean = 0.9 * self.mean + 0.1 * mean.detach()
        return x - mean


@sound
def average_by_another_tensor() -> Any:
    model = nn.Sequential(nn.Linear(6, 9), _Centred(9), nn.Tanh(), nn.Linear(9, 4))
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    return plain(model, optimizer, lambda i: classify(model, i))


class _Spectral(nn.Module):
    """A layer of a Fourier neural operator: its weights are complex numbers."""

    def __init__(self, size: int, modes: int) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.randn(size, size, modes, dtype=torch.cfloat) / size)

    def forward(self, x: Tensor) -> Tensor:
        waves, modes = torch.fft.rfft(x), self.weights.shape[-1]
        mixed = torch.zeros(waves.shape, dtype=torch.cfloat)
        mixed[..., :modes] = torch.einsum("bix,iox->box", waves[..., :modes], self.weights)
        return torch.fft.irfft(mixed, n=x.shape[-1])


@sound
def complex_weights() -> Any:
    model = nn.Sequential(nn.Conv1d(1, 6, 1), _Spectral(6, 4), nn.GELU(), nn.Conv1d(6, 1, 1))
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)

    def loss(i: int) -> Tensor:
        x = numbers(4, 1, 12, seed=i)
        return F.mse_loss(model(x), x.roll(1, -1))

    return plain(model, optimizer, loss)


def given(model: nn.Module, loss: Callable[[Tensor, Tensor], Any]) -> Any:
    """Return a training that gives its batches; ``loss(x, y)`` may call backward by itself."""
    optimizer = torch.optim.SGD(model.parameters(), 0.1)

    def step(batch: tuple[Tensor, Tensor]) -> None:
        optimizer.zero_grad()
        if (found := loss(*batch)) is not None:
            found.backward()
        optimizer.step()

    return model, step, {"batch": lambda i: (numbers(12, 6, seed=i), labels(12, 4, seed=i))}


@sound
def samples_mixed_at_random() -> Any:
    model = models.MLP()

    def loss(x: Tensor, y: Tensor) -> Tensor:
        order = torch.randperm(len(x))
        out = model(0.7 * x + 0.3 * x[order])
        return 0.7 * F.cross_entropy(out, y) + 0.3 * F.cross_entropy(out, y[order])

    return given(model, loss)


@sound
def noise_on_inputs() -> Any:
    model = models.MLP()
    return given(model, lambda x, y: F.cross_entropy(model(x + 0.3 * torch.randn_like(x)), y))


@sound
def micro_batches_that_are_normalised() -> Any:
    model = nn.Sequential(nn.Linear(6, 9), nn.BatchNorm1d(9), nn.Tanh(), nn.Linear(9, 4))

    def loss(x: Tensor, y: Tensor) -> None:
        for part, labels_of_it in zip(x.chunk(3), y.chunk(3), strict=True):
            (F.cross_entropy(model(part), labels_of_it) / 3).backward()

    return given(model, loss)


def masked_tokens(pool: Callable[[Tensor, Tensor], Tensor]) -> Any:
    """Return a training on sentences of several lengths; ``pool`` is given states and the mask."""
    embedding, attention, head = nn.Embedding(20, 8), nn.MultiheadAttention(8, 2), nn.Linear(8, 3)
    model = nn.ModuleDict({"embedding": embedding, "attention": attention, "head": head})
    optimizer = torch.optim.SGD(model.parameters(), 0.1)

    def batch(i: int) -> dict[str, Tensor]:
        mask = (torch.arange(7) < 3 + labels(6, 5, seed=i)[:, None]).long()
        ids = 1 + tokens(6, 7, vocabulary=19, seed=i)
        return {"input_ids": ids * mask, "attention_mask": mask, "target": labels(6, 3, seed=i)}

    def step(batch: dict[str, Tensor]) -> None:
        optimizer.zero_grad()
        mask = batch["attention_mask"]
        x = embedding(batch["input_ids"]).transpose(0, 1)
        out, _ = attention(x, x, x, key_padding_mask=mask == 0)
        F.cross_entropy(head(pool(out.transpose(0, 1), mask)), batch["target"]).backward()
        optimizer.step()

    return model, step, {"batch": batch}


@sound
def mean_of_what_a_mask_leaves() -> Any:
    return masked_tokens(lambda x, mask: (x * mask[..., None]).sum(1) / mask.sum(1, keepdim=True))


@sound
def pairs_of_neighbours() -> Any:
    model = models.MLP()

    def loss(x: Tensor, _: Tensor) -> Tensor:
        return (model(x[::2]) - model(x[1::2])).square().mean()

    return given(model, loss)


@sound
def dead_units() -> Any:
    """Many units of a deep network are dead in the first batches: a ReLU switches them off."""
    layers = [layer for _ in range(8) for layer in (nn.Linear(6, 6), nn.ReLU())]
    model = nn.Sequential(*layers, nn.Linear(6, 4))
    with torch.no_grad():
        for layer in layers[::2]:
            layer.bias[:2] = -0.5
            layer.weight[:2] *= 0.1
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    return plain(model, optimizer, lambda i: classify(model, i))


@sound
def drawn_slopes() -> Any:
    model = models.MLP(nn.RReLU())
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    return plain(model, optimizer, lambda i: classify(model, i))


class _Routed(nn.Module):
    """Hands each sample to the best of three experts."""

    def __init__(self) -> None:
        super().__init__()
        self.router = nn.Linear(6, 3)
        self.experts = nn.ModuleList(models.MLP(nn.Tanh()) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        weights, chosen = self.router(x).softmax(-1).max(-1)
        results = torch.zeros(len(x), 4)
        for number, expert in enumerate(self.experts):
            mask = chosen == number
            if mask.any():
                results[mask] = expert(x[mask]) * weights[mask, None]
        return results


@sound
def expert_that_no_sample_chose() -> Any:
    """The optimiser has no state yet for an expert that no sample of the first batch chose."""
    model = _Routed()
    with torch.no_grad():
        model.router.bias[1] -= 0.6
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    return plain(model, optimizer, lambda i: classify(model, i))


class _Initialised(nn.Module):
    """Centres and scales, as its first batch says: activation normalisation of flows."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.shift, self.scale = nn.Parameter(torch.zeros(size)), nn.Parameter(torch.ones(size))
        self.register_buffer("fresh", torch.tensor(True))

    def forward(self, x: Tensor) -> Tensor:
        if self.fresh:
            self.shift.data.copy_(-x.detach().mean(0))
            self.scale.data.copy_(1 / x.detach().std(0))
            self.fresh.fill_(False)
        return self.scale * (x + self.shift)


@sound
def first_forward_that_initialises() -> Any:
    """The gradients of what is set by the first forward are rounding: the means are zero then."""
    model = nn.Sequential(nn.Linear(6, 9), _Initialised(9), nn.Linear(9, 7), _Initialised(7))
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)

    def loss(i: int) -> Tensor:
        z = model(numbers(12, 6, seed=i))
        return z.square().mean() - model[3].scale.abs().log().mean()

    return plain(model, optimizer, loss)


@sound
def frames_side_by_side() -> Any:
    """A reshape joins two frames, as models of speech do: it ties no entries of different units."""
    first, second = nn.Linear(6, 5), nn.Linear(10, 4)
    model = nn.Sequential(first, nn.Tanh(), nn.Unflatten(1, (2, 2)), nn.Flatten(2), second)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    return plain(
        model,
        optimizer,
        lambda i: F.cross_entropy(model(numbers(8, 4, 6, seed=i)).mean(1), labels(8, 4, seed=i)),
    )


class _Causal(nn.Module):
    """Attends to what came before, by a mask of infinities that it keeps as a buffer."""

    def __init__(self, size: int, length: int) -> None:
        super().__init__()
        self.qkv, self.out = nn.Linear(size, 3 * size), nn.Linear(size, 4)
        self.register_buffer("mask", torch.full((length, length), -torch.inf).triu(1))

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).chunk(3, -1)
        out: Tensor = self.out((q @ k.mT + self.mask).softmax(-1) @ v)
        return out


@sound
def mask_of_infinities() -> Any:
    """A buffer that is not finite from the start, and stays as it is."""
    model = _Causal(6, 5)
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
    return plain(
        model,
        optimizer,
        lambda i: F.cross_entropy(model(numbers(8, 5, 6, seed=i)).mean(1), labels(8, 4, seed=i)),
    )
