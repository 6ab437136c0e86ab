"""An update by hand uses all gradients so far, since nothing clears them."""

import torch
from torch.nn.functional import cross_entropy

torch.manual_seed(0)
images, labels = torch.randn(320, 8), torch.randint(3, (320,))
weight = torch.zeros(8, 3, requires_grad=True)
bias = torch.zeros(3, requires_grad=True)
for x, y in zip(images.split(16), labels.split(16), strict=True):
    loss = cross_entropy(x @ weight + bias, y)
    loss.backward()  # loop/gradients
    with torch.no_grad():
        for parameter in (weight, bias):
            parameter -= 0.1 * parameter.grad
