"""The work of torch.compile in this process."""

import sys


def frames() -> int:
    """Return how many frames torch.compile has looked at in this process."""
    utils = sys.modules.get("torch._dynamo.utils")
    return 0 if utils is None else int(utils.counters["frames"]["total"])


def forget_compiled() -> None:
    """Let ``torch.compile`` begin anew: a second instance of a model may get other code.

    After a few instances it would even compile no more.
    """
    utils = sys.modules.get("torch._dynamo.utils")
    if utils is not None and utils.counters["frames"]:
        sys.modules["torch._dynamo"].reset()
