"""The work of torch.compile in this process."""

import sys


def frames() -> int:
    """Return how many frames torch.compile has looked at in this process."""
    dynamo = sys.modules.get("torch._dynamo")
    return 0 if dynamo is None else int(dynamo.utils.counters["frames"]["total"])


def forget_compiled() -> None:
    """Let ``torch.compile`` begin anew: a second instance of a model may get other code.

    After a few instances it would even compile no more.
    """
    dynamo = sys.modules.get("torch._dynamo")
    if dynamo is not None and dynamo.utils.counters["frames"]:
        dynamo.reset()
