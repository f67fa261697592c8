"""AWS CDK constructs that keep serverless functions from exhausting what they depend on.

The names below are the public API. Each is imported when it is first used, so that one construct costs one construct's
imports: `aws_cdk.aws_rds` alone takes longer than many a small app.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .checks.downstream_checks import DownstreamChecks
    from .connection_budget import ConnectionBudget
    from .connection_share import ConnectionShare
    from .credentials import DatabaseCredentials
    from .dashboard import breakwater_dashboard
    from .data_api_function import DataApiFunction
    from .database_engine import DatabaseEngine
    from .decoupled_invocation import DecoupledInvocation
    from .downstream import Downstream
    from .errors import BreakwaterError
    from .front_door import FrontDoor
    from .invocation_source import InvocationSource
    from .public_ssl_database_function import PublicSslDatabaseFunction
    from .quota_throttled_invocation import QuotaThrottledInvocation
    from .quota_tier import QuotaTier
    from .runtime_layer import RuntimeLayer
    from .throttled_api import ApiProtocol, ThrottledApi
    from .vpc_database_function import VpcDatabaseFunction

_MODULES = {
    "ApiProtocol": "throttled_api",
    "BreakwaterError": "errors",
    "ConnectionBudget": "connection_budget",
    "ConnectionShare": "connection_share",
    "DataApiFunction": "data_api_function",
    "DatabaseCredentials": "credentials",
    "DatabaseEngine": "database_engine",
    "DecoupledInvocation": "decoupled_invocation",
    "Downstream": "downstream",
    "DownstreamChecks": "checks.downstream_checks",
    "FrontDoor": "front_door",
    "InvocationSource": "invocation_source",
    "PublicSslDatabaseFunction": "public_ssl_database_function",
    "QuotaThrottledInvocation": "quota_throttled_invocation",
    "QuotaTier": "quota_tier",
    "RuntimeLayer": "runtime_layer",
    "ThrottledApi": "throttled_api",
    "VpcDatabaseFunction": "vpc_database_function",
    "breakwater_dashboard": "dashboard",
}

__all__ = [
    "ApiProtocol",
    "BreakwaterError",
    "ConnectionBudget",
    "ConnectionShare",
    "DataApiFunction",
    "DatabaseCredentials",
    "DatabaseEngine",
    "DecoupledInvocation",
    "Downstream",
    "DownstreamChecks",
    "FrontDoor",
    "InvocationSource",
    "PublicSslDatabaseFunction",
    "QuotaThrottledInvocation",
    "QuotaTier",
    "RuntimeLayer",
    "ThrottledApi",
    "VpcDatabaseFunction",
    "breakwater_dashboard",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    value = getattr(import_module(f".{_MODULES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
