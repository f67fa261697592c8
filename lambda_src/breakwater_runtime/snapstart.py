"""SnapStart: no connection lives through a snapshot, so none is in it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def register(close: Callable[[], None]) -> None:
    """Close before the snapshot is taken, and drop after it is restored what was opened meanwhile.

    `snapshot_restore_py` is part of Lambda's Python runtimes (AWS Lambda Developer Guide, "Lambda SnapStart runtime
    hooks for Python").
    """
    if os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") != "snap-start":
        return
    from snapshot_restore_py import (  # pyrefly: ignore
        register_after_restore,
        register_before_snapshot,
    )

    register_before_snapshot(close)
    register_after_restore(close)
