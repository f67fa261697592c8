"""AWS CDK constructs that keep serverless functions from exhausting what they depend on.

The names below are the public API. Each is imported when it is first used, so that one construct costs one construct's
imports: `aws_cdk.aws_rds` alone takes longer than many a small app.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .budgets.budget import ConnectionBudget
    from .budgets.share import ConnectionShare
    from .checks.downstream_checks import DownstreamChecks
    from .dashboard import breakwater_dashboard
    from .decoupled_invocation import DecoupledInvocation
    from .downstreams.credentials import DatabaseCredentials
    from .downstreams.downstream import Downstream
    from .errors import BreakwaterError
    from .front_door.front_door import FrontDoor
    from .functions.data_api import DataApiFunction
    from .functions.public_ssl_database import PublicSslDatabaseFunction
    from .functions.vpc_database import VpcDatabaseFunction
    from .layers.runtime_layer import RuntimeLayer
    from .limits.engines import DatabaseEngine
    from .quota.interface import IQuotaThrottledInvocation
    from .quota.invocation import QuotaThrottledInvocation
    from .quota.tier import QuotaTier
    from .sources.source import InvocationSource
    from .throttled_api.api import ApiProtocol, ThrottledApi

_MODULES = {
    "ApiProtocol": "throttled_api.api",
    "BreakwaterError": "errors",
    "ConnectionBudget": "budgets.budget",
    "ConnectionShare": "budgets.share",
    "DataApiFunction": "functions.data_api",
    "DatabaseCredentials": "downstreams.credentials",
    "DatabaseEngine": "limits.engines",
    "DecoupledInvocation": "decoupled_invocation",
    "Downstream": "wiring",
    "DownstreamChecks": "checks.downstream_checks",
    "FrontDoor": "front_door.front_door",
    "IQuotaThrottledInvocation": "quota.interface",
    "InvocationSource": "sources.source",
    "PublicSslDatabaseFunction": "functions.public_ssl_database",
    "QuotaThrottledInvocation": "quota.invocation",
    "QuotaTier": "quota.tier",
    "RuntimeLayer": "layers.runtime_layer",
    "ThrottledApi": "throttled_api.api",
    "VpcDatabaseFunction": "functions.vpc_database",
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
    "IQuotaThrottledInvocation",
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
