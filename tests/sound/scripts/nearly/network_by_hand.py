"""Layers without modules, updates without an optimiser, and momentum by hand."""

import torch
from torch.nn.functional import cross_entropy

torch.manual_seed(4)


class Linear:
    def __init__(self, inputs, outputs):
        self.weight = torch.randn(inputs, outputs) / inputs**0.5
        self.bias = torch.zeros(outputs)

    def __call__(self, x):
        return x @ self.weight + self.bias


letters, answers = torch.randint(9, (200, 3)), torch.randint(9, (200,))
table = torch.randn(9, 4)
layers = [Linear(12, 10), torch.tanh, Linear(10, 9)]
parameters = [table]
for layer in layers[::2]:
    parameters += [layer.weight, layer.bias]
for parameter in parameters:
    parameter.requires_grad = True
velocities = [torch.zeros_like(parameter) for parameter in parameters]

for _ in range(20):
    rows = torch.randint(200, (16,))
    x = table[letters[rows]].flatten(1)
    for layer in layers:
        x = layer(x)
    loss = cross_entropy(x, answers[rows])
    for parameter in parameters:
        parameter.grad = None
    loss.backward()
    for number, parameter in enumerate(parameters):
        velocities[number] = 0.9 * velocities[number] + parameter.grad
        parameter.data += -0.1 * velocities[number]
