"""Waiting for something that comes true by itself."""

from __future__ import annotations

from time import monotonic, sleep
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def wait_until(true: Callable[[], bool], seconds: float = 5.0) -> None:
    """Wait for something that comes true by itself."""
    ends = monotonic() + seconds
    while not true():
        assert monotonic() < ends, f"not within {seconds} s"
        sleep(0.02)
