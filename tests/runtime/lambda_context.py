"""Lambda's context, without anything that takes long to import."""

from __future__ import annotations

from time import monotonic


class Context:
    """Lambda's context, as far as the runtime looks at it."""

    def __init__(self, seconds: float, request_id: str = "request-1") -> None:
        self._ends = monotonic() + seconds
        self.aws_request_id = request_id

    def get_remaining_time_in_millis(self) -> int:
        return int((self._ends - monotonic()) * 1000)
