"""Readings of cells by hand, and the bugs of another evaluation that no pair stands for."""

# Findings that the mend takes away, and that name another cause: (pair, tool), and the reason.
ELSEWHERE: dict[tuple[str, str], str] = {
    ("weights_left_in_16_bits", "torchtest2"): "`forward` fails, as it is called outside autocast",
    ("stream_in_every_worker", "pytest-torch"): "the first batch is another one, and 20 steps lower"
    " its loss by less than a tenth",
}

# Bugs that TrainCheck's evaluation reproduces and that have no pair here.
NO_ANALOGUE = {
    "deepspeed-5794": "a training hangs: it is not silent, and needs experts on several GPUs",
    "lightning-thunder-725": "a compiler leaves autocast out, so training is only slower",
    "transformers-17877": "parameters are initialised twice, which only takes time",
    "transformers-23723": "a limit of generated tokens: nothing is trained",
}

# Other sets of bugs: whose they are, and whether the laws were written with sight of them.
_SEEN = "yes: laws were written for them"
_OPERATORS = "[mutation operators](https://github.com/dlfaults/deepcrime)"
_FORUM = "the PyTorch forum with which [its study](https://github.com/Hong-Shuo/PYSIASSIST) tests"
SETS = {
    "bugs": ("forums and issue trackers, rewritten as scripts", _SEEN),
    "bugs2": ("issues and pull requests of 2023 to 2026, rewritten as scripts", _SEEN),
    "bugs3": ("issues and pull requests of 2025 and 2026, rewritten as scripts", _SEEN),
    "PYSIASSIST": (f"posts of {_FORUM}, completed to scripts", "no"),
    "TrainCheck": ("4 of its 18 scripts that run without a GPU, below", "no; likenesses were"),
    "DeepCrime": (f"the 24 {_OPERATORS}, on three sound scripts", "no"),
}
