"""A small GPT that predicts the next character of a text."""

import torch
from torch import nn

TEXT = "Equal units stay equal for ever, unless something treats them differently. " * 200
VOCABULARY = {letter: index for index, letter in enumerate(sorted(set(TEXT)))}
CONTEXT, WIDTH, HEADS, LAYERS = 32, 48, 4, 2


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.before, self.between = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.attend, self.project = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.hidden = nn.Sequential(
            nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rows, length, width = x.shape
        q, k, v = (
            each.view(rows, length, HEADS, width // HEADS).transpose(1, 2)
            for each in self.attend(self.before(x)).split(width, dim=2)
        )
        y = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.project(y.transpose(1, 2).reshape(rows, length, width))
        return x + self.hidden(self.between(x))


class GPT(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.tokens = nn.Embedding(len(VOCABULARY), WIDTH)
        self.positions = nn.Embedding(CONTEXT, WIDTH)
        self.blocks = nn.Sequential(*(Block() for _ in range(LAYERS)))
        self.norm, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, len(VOCABULARY))

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        positions = torch.arange(tokens.shape[1])
        x = self.blocks(self.tokens(tokens) + self.positions(positions))
        return self.head(self.norm(x))


def make_batch(rows: int) -> tuple[torch.Tensor, torch.Tensor]:
    text = torch.tensor([VOCABULARY[letter] for letter in TEXT])
    begins = torch.randint(len(text) - CONTEXT, (rows,)).tolist()
    inputs = torch.stack([text[i : i + CONTEXT] for i in begins])
    targets = torch.stack([text[i + 1 : i + CONTEXT + 1] for i in begins])
    return inputs, targets


def loss_of(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())


def main() -> None:
    torch.manual_seed(0)
    model = GPT()
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
    for _ in range(100):
        inputs, targets = make_batch(8)
        loss = loss_of(model(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"loss {loss.item():.3f}")


if __name__ == "__main__":
    main()
