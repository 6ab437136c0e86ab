"""Why a model of the survey is not sound: what a person found who looked into it."""

from __future__ import annotations

from dataclasses import dataclass

BUG = "bug of the library"
PROPERTY = "property of the architecture"
WEAKNESS = "weakness of this tool"


@dataclass(frozen=True)
class Reason:
    """The class of a finding, and what was found, in a sentence."""

    kind: str
    text: str


SLOW = Reason(WEAKNESS, "a whole check takes too long")
_CONVOLUTION = Reason(PROPERTY, "its convolutions over tokens see hidden ones, too")
_MEAN = Reason(
    PROPERTY, "its head takes the mean over all tokens, hidden ones, too (modeling_imagegpt.py 803)"
)
_NEIGHBOURS = Reason(
    PROPERTY,
    "it joins the embeddings of each token's neighbours, hidden ones, too "
    "(modeling_mobilebert.py 122)",
)
_VALUES = Reason(BUG, "its convolution sees hidden tokens: [the page](findings/nystromformer.md)")
_POOLED = Reason(
    PROPERTY,
    "it takes the mean of neighbouring tokens, hidden ones, too (modeling_funnel.py 277)",
)
_IGNORED = Reason(BUG, "the attention mask is ignored: [the page](findings/yoso-mask.md)")
_REGISTERS = Reason(
    BUG,
    "its register tokens start as equal zeros, and stay equal: "
    "[the page](findings/dinov2-registers.md)",
)
_OWN_HEAD = Reason(
    WEAKNESS,
    "its detection tokens all start as zeros, and the head of this survey treats them alike; its "
    "own loss gives them different boxes: 14 of 20 tokens differ after 200 steps",
)
REASONS: dict[str, Reason] = {
    "convbert": _CONVOLUTION,
    "dinov2_with_registers": _REGISTERS,
    "funnel": _POOLED,
    "imagegpt": _MEAN,
    "mobilebert": _NEIGHBOURS,
    "nystromformer": _VALUES,
    "yolos": _OWN_HEAD,
    "yoso": _IGNORED,
}
