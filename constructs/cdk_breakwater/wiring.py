"""What a lower floor offers by way of a higher one: a downstream knows neither proxies nor functions."""

from __future__ import annotations

from typing import Any

from .downstreams.downstream import Downstream


def _before_proxy(*arguments: Any, **options: Any) -> Downstream:
    from .proxies.proxy_downstream import ProxyDownstream

    return ProxyDownstream.before(*arguments, **options)


def _connect(*arguments: Any, **options: Any) -> Any:
    from .functions.connect import connect

    return connect(*arguments, **options)


Downstream._connect = staticmethod(_connect)
Downstream._before_proxy = staticmethod(_before_proxy)
