"""Tests a model with one of three other libraries, and prints what they find as a line of JSON.

The model, the batch and the loss are those of a script of this study. Nothing of this package is
imported, so that the Python of another environment can run this file.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).parent / "scripts"))
Case = tuple[Callable[[], nn.Module], Any, Any, Callable[..., torch.Tensor]]


def of_readme() -> Case:
    def model() -> nn.Module:
        return nn.Sequential(nn.Linear(64, 8), nn.GELU(), nn.Linear(8, 10))

    return model, torch.randn(16, 64), torch.randint(10, (16,)), nn.functional.cross_entropy


def of_cnn() -> Case:
    import cnn

    inputs, labels = cnn.make_data(32).tensors
    return cnn.make_model, inputs, labels, nn.functional.cross_entropy


def of_gpt() -> Case:
    import gpt

    return gpt.GPT, *gpt.make_batch(32), gpt.loss_of  # a row for each letter, at least


def of_vae() -> Case:
    import vae

    images = torch.rand(32, 1, 28, 28)
    return vae.VAE, images, images, vae.loss_of


CASES = {"readme": of_readme, "cnn": of_cnn, "gpt": of_gpt, "vae": of_vae}


def torchtest2(name: str) -> str:
    import torchtest2

    make, inputs, targets, loss = CASES[name]()
    report = torchtest2.check_model(make(), inputs, targets, loss_fn=loss)
    return f"{len(list(report))} checks"


def torch_audit(name: str) -> str:
    """Audit each of 20 updates, as its Quick Start does."""
    from torch_audit import autopatch

    make, inputs, targets, loss = CASES[name]()
    model = make()
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
    auditor = autopatch(
        model, optimizer=optimizer, every_n_steps=1, run_static=True, run_init=True, reporters=[]
    )
    for _ in range(20):
        optimizer.zero_grad()
        loss(model(inputs), targets).backward()
        optimizer.step()
    auditor.finish(report=False)
    return "20 updates audited"


def neural_net_checklist(name: str) -> str:
    """Test a classifier, or a language model; it has no tests for others."""
    from neural_net_checklist import torch_diagnostics

    make, inputs, targets, _ = CASES[name]()
    if name == "gpt":
        import gpt

        torch_diagnostics.assert_all_for_causal_llm_cross_entropy_loss(
            make,
            (inputs, targets),
            embedding_layer_name="tokens",
            vocab_size=len(gpt.VOCABULARY),
            device="cpu",
        )
    else:
        torch_diagnostics.assert_all_for_classification_cross_entropy_loss(
            make, (inputs, targets), num_classes=10, device="cpu"
        )
    return "all its checks"


def libraries_for(name: str) -> list[str]:
    """Return the libraries that have tests for the model of a script."""
    if name not in CASES:
        return []
    return [library for library in LIBRARIES if name != "vae" or library != "neural_net_checklist"]


LIBRARIES = {each.__name__: each for each in (torchtest2, torch_audit, neural_net_checklist)}


def main() -> None:
    torch.manual_seed(0)
    library, name = sys.argv[1:]
    try:
        with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):  # noqa: PTH123
            ended = LIBRARIES[library](name)
    except Exception as error:  # a check that fails is one of its answers
        ended = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0][:80]}"
    print(json.dumps({"ended": ended}), flush=True)


if __name__ == "__main__":
    main()
