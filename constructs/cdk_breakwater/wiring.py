"""What a lower floor offers by way of a higher one: a downstream knows no proxies, and `Downstream.proxy` makes one."""

from __future__ import annotations

from typing import Any

from .downstreams.downstream import Downstream


def _before_proxy(*arguments: Any, **options: Any) -> Downstream:
    from .proxies.proxy_downstream import ProxyDownstream

    return ProxyDownstream.before(*arguments, **options)


Downstream._before_proxy = staticmethod(_before_proxy)
