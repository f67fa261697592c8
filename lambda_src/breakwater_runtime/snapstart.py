"""SnapStart: what must not be the same in each environment that is restored from one snapshot."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def register(before: Callable[[], None], after: Callable[[], None]) -> None:
    """Call one function before the snapshot is taken, the other after it is restored.

    `snapshot_restore_py` is part of Lambda's Python runtimes (AWS Lambda Developer Guide, "Lambda SnapStart runtime
    hooks for Python").
    """
    if os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") != "snap-start":
        return
    from snapshot_restore_py import (  # pyrefly: ignore
        register_after_restore,
        register_before_snapshot,
    )

    register_before_snapshot(before)
    register_after_restore(after)
