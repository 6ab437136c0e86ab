"""The effects of findings on the first update of a tiny, fresh model: the numbers of their page.

``python -m tests.studies.survey.effects`` prints them. Each is the norm of the difference of two
gradients that should be equal, relative to the norm of one of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import transformers
from torch import Tensor
from torch.nn import functional as F

_SIZES: dict[str, Any] = {
    "vocab_size": 30,
    "hidden_size": 32,
    "intermediate_size": 40,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
}
_DECODER = {**_SIZES, "num_key_value_heads": 1, "head_dim": 16}
_ROWS = 8
Loss = Callable[[Any], Tensor]


def main() -> None:
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    for name, length in (("Bert", 16), ("Yoso", 16), ("Nystromformer", 64)):
        print(f"{name}, other tokens under the mask: {hidden_tokens(name, length):.2g}")
    print(f"Gemma with the flag, sdpa for eager: {attention_kernels():.2g}")
    print(f"Llama, packed documents with a cache: {packed_documents():.2g}")
    print(f"MRA, share of the encoder's parameters without gradient: {untrained():.2g}")


def hidden_tokens(name: str, length: int) -> float:
    """Return how far tokens that the attention mask hides move the gradient."""
    torch.manual_seed(1)
    shown = torch.arange(length).expand(_ROWS, length) < length * 5 // 8
    ids, other, labels = torch.randint(2, 30, (3, _ROWS, length))
    kind = getattr(transformers, f"{name}ForMaskedLM")
    config = getattr(transformers, f"{name}Config")(**_SIZES)

    def loss(tokens: Tensor) -> Loss:
        def value(model: Any) -> Tensor:
            scores = model(input_ids=tokens, attention_mask=shown.long()).logits
            return F.cross_entropy(scores.mT, labels.masked_fill(~shown, -100))

        return value

    return _differ(
        _gradient(kind(config), loss(torch.where(shown, ids, other))),
        _gradient(kind(config), loss(ids)),
    )


def attention_kernels() -> float:
    """Return how far another implementation of attention moves the gradient of Gemma."""
    config = transformers.GemmaConfig(**_DECODER, use_bidirectional_attention=True)
    found = []
    for kernel in ("sdpa", "eager"):
        model = transformers.GemmaForCausalLM(config)
        model.set_attn_implementation(kernel)
        found.append(_gradient(model, _next_tokens()))
    return _differ(*found)


def packed_documents() -> float:
    """Return how far a cache moves the gradient of Llama, for two documents in each row."""
    config = transformers.LlamaConfig(**_DECODER)
    positions = torch.arange(8).repeat(2).expand(_ROWS, 16)
    found = []
    for cache in ({}, {"use_cache": False}):
        loss = _next_tokens(position_ids=positions, **cache)
        found.append(_gradient(transformers.LlamaForCausalLM(config), loss))
    return _differ(*found)


def untrained() -> float:
    """Return the share of the entries of MRA's encoder that no gradient reaches without CUDA."""
    sizes = {**_SIZES, "hidden_size": 64, "max_position_embeddings": 64}
    model = transformers.MraModel(transformers.MraConfig(**sizes))
    ids = torch.randint(2, 30, (2, 64))
    model(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state[
        ..., 0
    ].sum().backward()
    inside = [*model.encoder.parameters()]
    still = [each for each in inside if each.grad is None or not each.grad.any()]
    return sum(each.numel() for each in still) / sum(each.numel() for each in inside)


def _next_tokens(**more: Any) -> Loss:
    ids = torch.randint(2, 30, (_ROWS, 16), generator=torch.Generator().manual_seed(1))
    return lambda model: model(input_ids=ids, labels=ids, **more).loss


def _gradient(model: Any, loss: Loss) -> Tensor:
    """Return the gradient of a model whose parameters are those of a fresh one, by one seed."""
    torch.manual_seed(0)
    model.apply(model._init_weights)
    loss(model.eval()).backward()
    parts = [p.grad if p.grad is not None else torch.zeros_like(p) for p in model.parameters()]
    return torch.cat([part.flatten() for part in parts])


def _differ(one: Tensor, reference: Tensor) -> float:
    return float((one - reference).norm() / reference.norm())


if __name__ == "__main__":
    main()
