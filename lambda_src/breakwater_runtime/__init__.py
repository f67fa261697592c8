"""The function's side of the bargain: few connections, alive, and given back. Each name is imported when first used."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from breakwater_runtime.connection import Database as Database
    from breakwater_runtime.connection import database as database
    from breakwater_runtime.errors import BreakwaterError as BreakwaterError
    from breakwater_runtime.errors import ConfigurationError as ConfigurationError
    from breakwater_runtime.errors import ConnectionUnavailable as ConnectionUnavailable
    from breakwater_runtime.quota_signals import QuotaSpent as QuotaSpent
    from breakwater_runtime.quota_signals import RetryAfter as RetryAfter

_MODULES = {
    "BreakwaterError": "errors",
    "ConfigurationError": "errors",
    "ConnectionUnavailable": "errors",
    "Database": "connection",
    "QuotaSpent": "quota_signals",
    "RetryAfter": "quota_signals",
    "database": "connection",
}

__all__ = [  # noqa: PLE0604 -- the same list, by name
    *_MODULES,
]


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES})
