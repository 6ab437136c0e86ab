"""A network without modules, and updates without an optimiser."""

import torch
from torch.nn.functional import cross_entropy

torch.manual_seed(4)
images, labels = torch.randn(200, 12), torch.randint(5, (200,))
W1 = (torch.randn(12, 10) * 0.3).requires_grad_()
b1 = torch.zeros(10, requires_grad=True)
W2 = (torch.randn(10, 5) * 0.3).requires_grad_()

for _ in range(20):
    rows = torch.randint(200, (16,))
    hidden = torch.tanh(images[rows] @ W1 + b1)
    loss = cross_entropy(hidden @ W2, labels[rows])
    loss.backward()
    with torch.no_grad():
        W1 -= 0.1 * W1.grad
        b1 -= 0.1 * b1.grad
        W2[:-1] -= 0.1 * W2.grad[:-1]
        for parameter in (W1, b1, W2):
            parameter.grad = None
