"""How much work one exchange may take, so that every search ends."""

_OPERATIONS = 200  # that one request may be pulled back through
_WORK = 2000  # such operations, and repairs that are tried, for one exchange


class ExchangeBudget:
    """Counts down the work of one exchange, and the operations of one of its requests."""

    def __init__(self) -> None:
        self.work = 0
        self.request = 0

    def begin_exchange(self) -> None:
        """Allow the work of one exchange."""
        self.work = _WORK

    def begin_request(self) -> None:
        """Allow the operations of one request: at most the work that is left."""
        self.request = min(_OPERATIONS, self.work)

    def spend_operation(self) -> bool:
        """Count one operation of a request; return whether the budget allows it."""
        self.request -= 1
        self.work -= 1
        return self.request >= 0

    def spend_repair(self) -> None:
        """Count one repair that is tried."""
        self.work -= 1
