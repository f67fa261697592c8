"""The function's side of the bargain: few connections, alive, and given back. Each name is imported when first used."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from breakwater_runtime.async_sql_database import AsyncDatabase as AsyncDatabase
    from breakwater_runtime.async_sql_database import async_database as async_database
    from breakwater_runtime.batches import batch as batch
    from breakwater_runtime.data_api_client import DataApi as DataApi
    from breakwater_runtime.data_api_client import data_api as data_api
    from breakwater_runtime.deadline import invocation as invocation
    from breakwater_runtime.errors import BreakwaterError as BreakwaterError
    from breakwater_runtime.errors import ConfigurationError as ConfigurationError
    from breakwater_runtime.errors import ConnectionUnavailable as ConnectionUnavailable
    from breakwater_runtime.errors import OutcomeUnknown as OutcomeUnknown
    from breakwater_runtime.errors import TransactionAborted as TransactionAborted
    from breakwater_runtime.mongo_client import mongo as mongo
    from breakwater_runtime.parallelism import FanOutError as FanOutError
    from breakwater_runtime.parallelism import client as client
    from breakwater_runtime.parallelism import fan_out as fan_out
    from breakwater_runtime.parallelism import http as http
    from breakwater_runtime.quota_signals import QuotaSpent as QuotaSpent
    from breakwater_runtime.quota_signals import RetryAfter as RetryAfter
    from breakwater_runtime.quota_signals import used as used
    from breakwater_runtime.quota_slots import QuotaBusy as QuotaBusy
    from breakwater_runtime.quota_slots import QuotaSlot as QuotaSlot
    from breakwater_runtime.quota_slots import acquire as acquire
    from breakwater_runtime.rate_limits import rate_limit as rate_limit
    from breakwater_runtime.redis_client import redis as redis
    from breakwater_runtime.results import JobBusy as JobBusy
    from breakwater_runtime.results import JobFailed as JobFailed
    from breakwater_runtime.sql_database import Database as Database
    from breakwater_runtime.sql_database import database as database

_MODULES = {
    "AsyncDatabase": "async_sql_database",
    "BreakwaterError": "errors",
    "ConfigurationError": "errors",
    "ConnectionUnavailable": "errors",
    "DataApi": "data_api_client",
    "Database": "sql_database",
    "FanOutError": "parallelism",
    "JobBusy": "results",
    "JobFailed": "results",
    "OutcomeUnknown": "errors",
    "QuotaBusy": "quota_slots",
    "QuotaSlot": "quota_slots",
    "QuotaSpent": "quota_signals",
    "RetryAfter": "quota_signals",
    "TransactionAborted": "errors",
    "acquire": "quota_slots",
    "async_database": "async_sql_database",
    "batch": "batches",
    "client": "parallelism",
    "data_api": "data_api_client",
    "database": "sql_database",
    "fan_out": "parallelism",
    "http": "parallelism",
    "invocation": "deadline",
    "mongo": "mongo_client",
    "rate_limit": "rate_limits",
    "redis": "redis_client",
    "used": "quota_signals",
}

__all__ = [  # noqa: PLE0604 -- the same list, by name
    *_MODULES,
]


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    try:
        value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    except ImportError as error:
        # what help(), create_autospec() and "import *" can live with
        raise AttributeError(f"module {__name__!r} has no attribute {name!r} here: {error}") from error
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES})
