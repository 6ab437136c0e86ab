"""Trainings of well-known architectures, each tiny: what ``reports/models.md`` is written from.

    symmetry check 'tests/studies/architectures.py:train_*' --output reports

They need torchvision, timm and transformers: ``pip install 'unit-symmetry[models]'``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import timm
import torch
import torch.nn.functional as F
import torchvision
import transformers
from torch import Tensor, nn
from torchvision.models import GoogLeNet

_CLASSES, _TOKENS = 5, 16
googlenet = sys.modules[GoogLeNet.__module__]  # a function hides the module


def _numbers(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def _integers(bound: int, *shape: int, seed: int) -> Tensor:
    return torch.randint(bound, shape, generator=torch.Generator().manual_seed(seed))


def _train(model: nn.Module, loss: Callable[[int], Tensor], rate: float = 1e-3) -> Any:
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), rate)

    def step(i: int) -> None:
        optimizer.zero_grad()
        loss(i).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    return model, step


def _images(model: nn.Module, size: int = 32, count: int = 4) -> Any:
    def loss(i: int) -> Tensor:
        out = model(_numbers(count, 3, size, size, seed=i))
        return F.cross_entropy(out, _integers(_CLASSES, count, seed=i))

    return _train(model, loss)


def _language(model: nn.Module, vocabulary: int = 23) -> Any:
    def loss(i: int) -> Tensor:
        text = _integers(vocabulary, 2, _TOKENS, seed=i)
        out: Tensor = model(input_ids=text, labels=text).loss
        return out

    return _train(model, loss)


# torchvision


def train_resnet() -> Any:
    block = timm.models.resnet.BasicBlock
    model = timm.models.ResNet(block, (1, 1, 1, 1), _CLASSES, channels=(6, 8, 10, 12), stem_width=6)
    return _images(model)


def train_densenet() -> Any:
    return _images(torchvision.models.DenseNet(4, (2, 2), 8, bn_size=2, num_classes=_CLASSES))


def train_vision_transformer() -> Any:
    return _images(torchvision.models.VisionTransformer(32, 8, 2, 2, 12, 24, num_classes=_CLASSES))


def train_swin() -> Any:
    return _images(
        torchvision.models.SwinTransformer(
            [4, 4], 8, [1, 1], [2, 2], [4, 4], num_classes=_CLASSES, stochastic_depth_prob=0.0
        )
    )


# timm


def _timm(name: str, size: int = 32, **options: Any) -> Any:
    return _images(timm.create_model(name, num_classes=_CLASSES, **options), size)


def train_mobilenet() -> Any:
    setting = [[1, 8, 1, 1], [2, 12, 2, 2]]
    return _images(
        torchvision.models.MobileNetV2(_CLASSES, 0.25, setting, round_nearest=4, dropout=0.1)
    )


def train_efficientnet() -> Any:
    block = torchvision.models.efficientnet.MBConvConfig
    setting = [block(1, 3, 1, 8, 8, 1, 1.0, 1.0), block(3, 3, 2, 8, 12, 2, 1.0, 1.0)]
    return _images(torchvision.models.EfficientNet(setting, 0.1, 0.0, _CLASSES, last_channel=16))


def train_regnet() -> Any:
    block = torchvision.models.regnet.BlockParams([1, 1], [8, 16], [4, 8], [1, 1], [2, 2])
    return _images(torchvision.models.RegNet(block, _CLASSES, stem_width=8))


def train_inception() -> Any:
    conv, inception = googlenet.BasicConv2d, googlenet.Inception
    return _images(
        nn.Sequential(
            conv(3, 6, kernel_size=3, stride=2),
            inception(6, 4, 4, 6, 2, 3, 4),
            inception(17, 4, 4, 6, 2, 3, 4),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(17, _CLASSES),
        )
    )


def train_convnext() -> Any:
    return _timm("convnext_atto", depths=(1, 1, 1, 1), dims=(8, 12, 16, 20))


def train_vgg() -> Any:
    return _images(
        nn.Sequential(
            torchvision.models.vgg.make_layers([6, "M", 8, "M", 10, "M"], batch_norm=True),
            nn.Flatten(),
            nn.Linear(10 * 16, 12),
            nn.ReLU(),
            nn.Dropout(),
            nn.Linear(12, _CLASSES),
        )
    )


def train_mixer() -> Any:
    return _images(timm.models.MlpMixer(_CLASSES, 32, patch_size=8, num_blocks=2, embed_dim=12))


def train_deit() -> Any:
    options = {"embed_dim": 12, "depth": 2, "num_heads": 2, "img_size": 32, "patch_size": 8}
    return _timm("deit_tiny_patch16_224", **options)


def train_poolformer() -> Any:
    model = timm.models.MetaFormer(num_classes=_CLASSES, depths=(1,) * 4, dims=(6, 8, 10, 12))
    return _images(model)


# transformers

_SMALL = {
    "vocab_size": 23,
    "hidden_size": 12,
    "intermediate_size": 20,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "max_position_embeddings": 32,
}


def train_gpt2() -> Any:
    config = transformers.GPT2Config(vocab_size=23, n_positions=32, n_embd=12, n_layer=2, n_head=2)
    return _language(transformers.GPT2LMHeadModel(config))


def train_llama() -> Any:
    config = transformers.LlamaConfig(**_SMALL, num_key_value_heads=1)
    return _language(transformers.LlamaForCausalLM(config))


def train_mistral() -> Any:
    config = transformers.MistralConfig(**_SMALL, num_key_value_heads=2)
    return _language(transformers.MistralForCausalLM(config))


def train_qwen() -> Any:
    config = transformers.Qwen2Config(**_SMALL, num_key_value_heads=2)
    return _language(transformers.Qwen2ForCausalLM(config))


def train_gemma() -> Any:
    config = transformers.GemmaConfig(**_SMALL, num_key_value_heads=1, head_dim=6)
    return _language(transformers.GemmaForCausalLM(config))


def train_phi() -> Any:
    return _language(
        transformers.PhiForCausalLM(transformers.PhiConfig(**_SMALL, partial_rotary_factor=1.0))
    )


def train_gpt_neox() -> Any:
    return _language(transformers.GPTNeoXForCausalLM(transformers.GPTNeoXConfig(**_SMALL)))


def train_opt() -> Any:
    config = transformers.OPTConfig(
        vocab_size=23,
        hidden_size=12,
        num_hidden_layers=2,
        ffn_dim=20,
        num_attention_heads=2,
        max_position_embeddings=32,
        word_embed_proj_dim=12,
    )
    return _language(transformers.OPTForCausalLM(config))


def train_bloom() -> Any:
    config = transformers.BloomConfig(vocab_size=23, hidden_size=12, n_layer=2, n_head=2)
    return _language(transformers.BloomForCausalLM(config))


def train_bert() -> Any:
    return _language(transformers.BertForMaskedLM(transformers.BertConfig(**_SMALL)))


def train_distilbert() -> Any:
    config = transformers.DistilBertConfig(
        vocab_size=23, n_layers=2, n_heads=2, dim=12, hidden_dim=20
    )
    return _language(transformers.DistilBertForMaskedLM(config))


def train_electra() -> Any:
    config = transformers.ElectraConfig(**_SMALL, embedding_size=8)
    return _language(transformers.ElectraForMaskedLM(config))


def train_t5() -> Any:
    config = transformers.T5Config(
        vocab_size=23, d_model=12, d_kv=6, d_ff=20, num_layers=1, num_heads=2
    )
    config.decoder_start_token_id = 0
    return _language(transformers.T5ForConditionalGeneration(config))
