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
_MADE_LATE = Reason(
    BUG,
    "the first forward of a text too short for its blocks makes new modules, which draws random "
    "numbers: after loading, dropout draws others (set_attention_type)",
)
_CONVOLUTION = Reason(PROPERTY, "its convolutions over tokens see hidden ones, too")
_MEAN = Reason(
    PROPERTY, "its head takes the mean over all tokens, hidden ones, too (modeling_imagegpt.py 803)"
)
_NEIGHBOURS = Reason(
    PROPERTY,
    "it joins the embeddings of each token's neighbours, hidden ones, too "
    "(modeling_mobilebert.py 122)",
)
_LANDMARKS = Reason(
    BUG, "landmarks and convolution see hidden tokens: see findings/nystromformer.md"
)
_POOLED = Reason(
    PROPERTY,
    "it takes the mean of neighbouring tokens, hidden ones, too (modeling_funnel.py 277)",
)
_PAIRS = Reason(
    PROPERTY,
    "the output from which our head learns compares each video with each text of the batch: its "
    "columns are samples",
)
_IGNORED = Reason(BUG, "the attention mask is ignored: see findings/yoso-mask.md")
REASONS: dict[str, Reason] = {
    "big_bird": _MADE_LATE,
    "bigbird_pegasus": _MADE_LATE,
    "convbert": _CONVOLUTION,
    "funnel": _POOLED,
    "imagegpt": _MEAN,
    "mobilebert": _NEIGHBOURS,
    "nystromformer": _LANDMARKS,
    "videoprism": _PAIRS,
    "yoso": _IGNORED,
}
