"""``Capability``: something that a run may be able to do, beside taking steps."""

from abc import ABC
from typing import ClassVar


class Capability(ABC):  # noqa: B024 - its kinds have abstract methods
    """Something that a run may be able to do: it has it or lacks it."""

    # Why an invariant that needs it is not applicable to a run that lacks it.
    absent: ClassVar[str] = "its runs lack a part that it needs"
