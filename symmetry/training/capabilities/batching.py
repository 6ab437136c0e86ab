"""``Reordering`` and ``Padding``: changes of batches that must not matter to a training."""

from abc import ABC, abstractmethod
from collections.abc import Mapping


class Reordering(ABC):
    """Lets what steps draw for each sample follow a new order of the samples."""

    @abstractmethod
    def follow_samples(self, count: int) -> Mapping[str, bool]:
        """Put what steps draw for each of so many samples in the order of the samples.

        The steps that follow fill the mapping that is returned, by the user's line: whether all
        that is drawn there for samples is put in their order.
        """


class Padding(ABC):
    """Replaces the tokens that the attention masks of batches hide."""

    @abstractmethod
    def why_nothing_hidden(self, steps: int) -> str:
        """Say why nothing that a mask hides can be replaced in so many batches; "" if it can.

        No step is taken.
        """

    @abstractmethod
    def replace_hidden(self, *, look: bool = False) -> Mapping[str, bool]:
        """Hide other tokens in the steps that follow.

        With ``look`` these steps fill the mapping that is returned: how a model may recognise
        hidden tokens without the mask, and whether that is legitimate.
        """
