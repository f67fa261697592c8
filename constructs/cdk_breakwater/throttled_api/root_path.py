"""The root of a REST API is a method of its own, beside the one of every other path."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Stack

from .._cdk.lazy import lazy_number
from .throttle import Throttle

if TYPE_CHECKING:
    from constructs import IConstruct

# AWS applies a stage's limits to each method by itself, and `ANY /` is another than `ANY /{proxy+}`.
_PART = 0.1


def share_with_root(api: IConstruct, throttle: Throttle, *, derived: bool) -> tuple[Throttle, Throttle]:
    """Return the limits of every other path, and those of the root, a tenth.

    Parameters
    ----------
    api
        Where the limits are used.
    throttle
        Those of the API.
    derived
        Whether they follow from a concurrency, which both then divide. Limits that are given stay as they are, and the
        root has a tenth beside them.
    """
    resolve = Stack.of(api).resolve
    root = Throttle(
        lazy_number(lambda: _PART * resolve(throttle.rate_limit)),
        lazy_number(lambda: max(1, int(_PART * resolve(throttle.burst_limit)))),
    )
    if not derived:
        return throttle, root
    return (
        Throttle(
            lazy_number(lambda: (1 - _PART) * resolve(throttle.rate_limit)),
            lazy_number(lambda: max(1, resolve(throttle.burst_limit) - resolve(root.burst_limit))),
        ),
        root,
    )
