"""What the demo's stacks are called, for the app that makes them and for the demo that deploys them."""

from __future__ import annotations


def stack_name(engine: str, *, protected: bool) -> str:
    return f"{'Protected' if protected else 'Unprotected'}-{engine}"
