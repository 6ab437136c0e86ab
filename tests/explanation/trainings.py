"""PyTorch trainings with one fault each, on lines that end in ``# wrong``, and sound ones."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

UNITS = 24


def vectors(i):
    generator = torch.Generator().manual_seed(100 + i)
    return torch.randn(16, 6, generator=generator), torch.randint(0, 4, (16,), generator=generator)


def images(i):
    generator = torch.Generator().manual_seed(i)
    x = torch.randn(8, 1, 6, 6, generator=generator)
    return x, torch.randint(0, 4, (8,), generator=generator)


def sequences(i):
    generator = torch.Generator().manual_seed(i)
    x = torch.randn(6, 5, 6, generator=generator)
    return x, torch.randint(0, 4, (6,), generator=generator)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(6, UNITS)
        self.fc2 = nn.Linear(UNITS, 4)

    def hidden(self, x):
        return torch.tanh(self.fc1(x))

    def forward(self, x):
        return self.fc2(self.hidden(x))


class Norm(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(UNITS))
        self.register_buffer("mean", torch.zeros(UNITS))

    def forward(self, x):
        with torch.no_grad():
            self.mean[:10].lerp_(x.mean(0)[:10], 0.1)  # wrong
        return (x - self.mean) * self.weight


class Through(nn.Module):
    """Leaves its input as it is, and scales the gradient: a straight-through estimator."""

    def __init__(self):
        super().__init__()
        self.register_buffer("scale", torch.cat([torch.ones(20), torch.full((4,), 1.01)]))

    def forward(self, x):
        return x.detach() + (x - x.detach()) * self.scale  # wrong


class Convolution(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 8, 3)
        self.norm = nn.BatchNorm2d(8)
        self.fc = nn.Linear(8 * 16, 4)

    def forward(self, x):
        return self.fc(torch.relu(self.norm(self.conv(x))).flatten(1))


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.qkv = nn.Linear(6, 16), nn.Linear(16, 48)
        self.projection, self.fc = nn.Linear(16, 16), nn.Linear(16, 4)

    def forward(self, x):
        x = self.embedding(x)
        q, k, v = self.qkv(x).view(*x.shape[:2], 3, 4, 4).permute(2, 0, 3, 1, 4)
        mixed = torch.softmax(q @ k.transpose(-1, -2) / 2, -1) @ v
        return self.fc((x + self.projection(mixed.transpose(1, 2).reshape(x.shape))).mean(1))


class Recurrent(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.rnn, self.fc = kind(6, 12, batch_first=True), nn.Linear(12, 4)

    def forward(self, x):
        return self.fc(self.rnn(x)[0][:, -1])


def nothing(_):
    pass


def training(model, data=vectors, *, optimise=None, after_backward=nothing, after_step=nothing):
    """Return a training of a model by SGD with momentum, with more done in between."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

    def step(i):
        x, y = data(i)
        model.zero_grad()
        functional.cross_entropy(model(x), y).backward()
        after_backward(model)
        if optimise is None:
            optimizer.step()
        else:
            optimise(model)
        with torch.no_grad():
            after_step(model)

    return model, step


def own_loop():
    @torch.no_grad()
    def optimise(model):
        for parameter in model.parameters():
            if parameter.shape == (UNITS, 6):
                parameter[9:16].mul_(0.99)  # wrong
            parameter.sub_(0.1 * parameter.grad)

    return training(Net(), optimise=optimise)


def clipping():
    def clip(model):
        gradient = model.fc1.weight.grad
        norm = gradient[:12].norm()  # wrong
        gradient[:12].mul_(0.05 / norm)  # wrong

    return training(Net(), after_backward=clip)


def clamped_rows():
    """Of the later parameters what is clamped stays as it is: both units were clamped before."""

    def clamp(model):
        for parameter in model.parameters():
            parameter.grad[:-1].clamp_(-0.001, 0.001)  # wrong

    layers = nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(128, 4)
    return training(nn.Sequential(*layers), images, after_backward=clamp)


def statistics():
    def forget(model):
        model.norm.running_var[5:].mul_(1.01)  # wrong

    return training(Convolution(), images, after_step=forget)


def statistics_in_the_forward():
    class Normed(Net):
        def __init__(self):
            super().__init__()
            self.norm = Norm()

        def hidden(self, x):
            return torch.relu(self.norm(self.fc1(x)))

    return training(Normed())


def column_of_a_recurrent_gradient():
    class Recurrent(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn = nn.GRU(6, 6, batch_first=True)
            self.head = nn.Linear(6, 4)

        def forward(self, x):
            return self.head(self.rnn(x)[1][-1])

    def clear(model):
        model.rnn.weight_hh_l0.grad[:, 5].zero_()  # wrong

    return training(Recurrent(), sequences, after_backward=clear)


def rows_kept_in_half():
    """In float64 nothing is lost, though sums of 9 units may be rounded differently there."""

    def cast(model):
        model[2].weight[4:] = model[2].weight[4:].half().float()  # wrong

    layers = nn.Linear(6, 12), nn.ReLU(), nn.Linear(12, 9), nn.Tanh(), nn.Linear(9, 4)
    model = nn.Sequential(*layers)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    return training(model, optimise=lambda _: optimizer.step(), after_step=cast)


class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        result = 2 * x * gradient
        result[:, -3:] = x[:, -3:] * gradient[:, -3:]  # wrong
        return result


def straight_through():
    model = nn.Sequential(nn.Linear(6, UNITS), nn.Tanh(), Through(), nn.Linear(UNITS, 4))
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    return training(model, vectors, optimise=lambda _: optimizer.step())


def custom_backward():
    class Squared(Net):
        def hidden(self, x):
            return Square.apply(self.fc1(x))

    return training(Squared())


def scaled_layer():
    """No two units of the layer are equal."""

    class Scaled(Net):
        def hidden(self, x):
            return super().hidden(x) * torch.linspace(1, 1.001, UNITS)  # wrong

    return training(Scaled())


def unlike_experts():
    """A gate is taken for each expert, and these are not alike."""

    class Mixture(nn.Module):
        def __init__(self):
            super().__init__()
            self.gate, self.one, self.other = (nn.Linear(6, n) for n in (2, 5, 5))
            self.out = nn.Linear(5, 4)

        def forward(self, x):
            first, second = self.gate(x).softmax(-1).unbind(-1)
            return self.out(first[:, None] * self.one(x) + second[:, None] * self.other(x).tanh())

    return training(Mixture())


class Damped(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn, self.fc = nn.GRUCell(6, 12), nn.Linear(12, 4)

    def forward(self, x):
        hidden = x.new_zeros(len(x), 12)
        for k in range(2):
            keep = torch.ones_like(hidden)
            keep[:, 10:] = 0.9
            hidden = self.rnn(x[:, k], hidden) * keep  # wrong
        return self.fc(hidden)


def damped_units():
    return training(Damped(), sequences)


class Masked(Attention):
    def forward(self, x):
        x = self.embedding(x)
        samples, length, _ = x.shape
        q, k, v = (part.view(samples, length, 4, 4) for part in self.qkv(x).chunk(3, -1))
        scores = q.transpose(1, 2) @ k.permute(0, 2, 3, 1) / 2
        mask = torch.zeros(4, length, length)
        mask[2] = torch.triu(torch.full((length, length), float("-inf")), 1)
        scores = scores + mask  # wrong
        mixed = torch.softmax(scores, -1) @ v.transpose(1, 2)
        return self.fc((x + self.projection(mixed.transpose(1, 2).reshape(x.shape))).mean(1))


def masked_head():
    return training(Masked(), sequences)


def averaged_model():
    model, average = Net(), Net()
    average.load_state_dict(model.state_dict())

    def follow(model):
        for ours, theirs in zip(average.parameters(), model.parameters(), strict=True):
            count = len(ours) - (len(ours) == UNITS)
            ours[:count].lerp_(theirs[:count], 0.1)  # wrong

    return *training(model, after_step=follow), {"average": average}


class Shared:
    """An optimiser that keeps one velocity for all parameters of a shape."""

    def __init__(self, model):
        self.parameters, self.velocities = [*model.parameters()], {}

    @torch.no_grad()
    def step(self):
        for parameter in self.parameters:
            velocity = self.velocities.setdefault(parameter.shape, torch.zeros_like(parameter))
            velocity.mul_(0.9).add_(parameter.grad)  # wrong
            parameter.sub_(velocity, alpha=0.05)


def shared_velocity():
    layers = [nn.Linear(6, 12), nn.Linear(12, 12), nn.Linear(12, 12), nn.Linear(12, 4)]
    model = nn.Sequential(*(m for layer in layers for m in (layer, nn.Tanh())))
    optimizer = Shared(model)
    return training(model, optimise=lambda _: optimizer.step())


def norm_of_some_rows():
    def clip(model):
        norm = model.fc1.weight.grad[:15].norm()  # wrong
        model.fc1.weight.grad.mul_(0.05 / norm)

    return training(Net(), after_backward=clip)


def rate_of_the_last_unit():
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def adapt(model):
        size = model.fc2.weight.grad[:, -1].abs().mean()  # wrong
        optimizer.param_groups[0]["lr"] = 0.1 / (1 + float(size))

    return training(model, optimise=lambda _: optimizer.step(), after_backward=adapt)


class Detached(Net):
    def hidden(self, x):
        hidden = super().hidden(x)
        return torch.cat([hidden[:, :20], hidden.detach()[:, 20:]], 1)  # wrong


def detached_units():
    return training(Detached())


class Experts(nn.Module):
    """Each sample goes to the best of four experts: of two that are equal, to the first."""

    def __init__(self):
        super().__init__()
        self.gate = nn.Linear(6, 4, bias=False)
        self.weight = nn.Parameter(torch.randn(4, 6, 4))

    def forward(self, x):
        scores = self.gate(x).softmax(1)
        best = functional.one_hot(scores.argmax(1), 4)
        return torch.einsum("ne,ni,eio->no", scores * best, x, self.weight)


def frozen_expert():
    def freeze(model):
        model.weight.grad[2].zero_()  # wrong

    return training(Experts(), after_backward=freeze)


def sound_net():
    return training(Net())


def sound_convolution():
    model = Convolution()
    optimizer = torch.optim.Adam(model.parameters())
    return training(model, images, optimise=lambda _: optimizer.step())


def sound_attention():
    model = Attention()
    optimizer = torch.optim.AdamW(model.parameters(), 1e-2)
    return training(model, sequences, optimise=lambda _: optimizer.step())


def sound_lstm():
    return training(Recurrent(nn.LSTM), sequences)


class SummedOverUnits(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, bias):
        ctx.save_for_backward(x, weight)
        return x @ weight.T + bias

    @staticmethod
    def backward(ctx, gradient):
        x, weight = ctx.saved_tensors
        of_bias = gradient.sum(1)  # wrong
        return gradient @ weight, gradient.T @ x, of_bias


class OwnLinear(nn.Linear):
    def forward(self, x):
        return SummedOverUnits.apply(x, self.weight, self.bias)


def wrong_axis_in_backward():
    """As many samples as units, so that the shape of the gradient is right."""
    model = nn.Sequential(OwnLinear(6, 16), nn.Tanh(), nn.Linear(16, 4))
    return training(model)


def rare_classes():
    """Most classes never occur: they are equal units, and the others are not like them."""
    return training(nn.Sequential(nn.Linear(6, UNITS), nn.Tanh(), nn.Linear(UNITS, 10)))


def by_batch(loss, noise=0.0):
    """Return a training that gives its batch, so that samples can be rearranged."""
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def step(batch):
        x, y = batch
        if noise:
            x = x + noise * torch.randn_like(x)
        optimizer.zero_grad()
        loss(model(x), y).backward()
        optimizer.step()

    return model, step, {"batch": vectors}


def last_sample_left_out():
    def loss(output, y):
        return functional.cross_entropy(output[:-1], y[:-1])  # wrong

    return by_batch(loss)


def noisy_samples():
    return by_batch(functional.cross_entropy, noise=0.1)
