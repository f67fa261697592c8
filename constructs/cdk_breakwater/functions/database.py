"""What `VpcDatabaseFunction` and `PublicSslDatabaseFunction` have in common."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

from aws_cdk import Annotations, Tokenization
from aws_cdk import aws_lambda as lambda_

from breakwater_runtime._version import VERSION

from .._cdk.function_settings import rendered_timeout
from .._cdk.lazy import lazy_string
from .._cdk.nag import acknowledge
from ..budgets.budget import ConnectionBudget
from ..downstreams.credentials import DatabaseCredentials
from ..downstreams.downstream import Downstream
from ..errors import BreakwaterError
from ..layers import runtime_settings as environment
from ..layers.runtime_layer import RuntimeLayer
from ..limits.engines import DatabaseEngine
from .base import DEFAULT_TIMEOUT, PreparedFunction
from .database_users.deployment import DatabaseDeployment
from .database_users.placement import FunctionPlacement
from .runtime_presence import LayerFitsValidation, require_drivers, say_what_is_lost

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from aws_cdk import aws_ec2 as ec2
    from constructs import Construct
    from typing_extensions import Unpack

    from ..budgets.share import ConnectionShare
    from ..downstreams.databases import Database
    from .options import FunctionOptions


class DatabaseFunction(PreparedFunction):
    """A function whose reserved concurrency is its share of a database's connections.

    Not made directly: see `VpcDatabaseFunction` and `PublicSslDatabaseFunction`, which document the props.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        database: Database,
        code: lambda_.Code,
        handler: str,
        runtime: lambda_.Runtime,
        share_weight: float | None,
        concurrency: int | None,
        credentials: DatabaseCredentials | None,
        reserve_concurrency: bool,
        drivers: Sequence[str] | None,
        verify_at_deploy: bool,
        proxy: Any = None,
        connections_per_environment: int | None = None,
        overlap: bool | None = None,
        network: Mapping[str, Any],
        **options: Unpack[FunctionOptions],
    ) -> None:
        path = f"{scope.node.path}/{id}"
        if "reserved_concurrent_executions" in options:
            raise BreakwaterError(
                path,
                f"reserved_concurrent_executions={options['reserved_concurrent_executions']} is given, "
                "and the share of the connections decides it.",
                "Pass concurrency=… for a fixed share, or share_weight=… for a part.",
            )
        downstream, credentials = _login(database, credentials, proxy, path, network)
        budget = ConnectionBudget.of(downstream)
        share = budget.share(
            path,
            weight=share_weight,
            concurrency=concurrency,
            connections_per_environment=_each(downstream, connections_per_environment),
        )
        placement = FunctionPlacement(
            path, scope, runtime, network, options, reserve_concurrency, self._administrator()
        )
        deployment = DatabaseDeployment(
            placement,
            downstream,
            share,
            credentials,
            verify=verify_at_deploy,
        )
        credentials = deployment.credentials
        timeout = options.get("timeout") or DEFAULT_TIMEOUT
        layer = _layer(placement, [downstream], drivers)
        share.count_overlap(overlap=layer is None if overlap is None else overlap)

        def seconds() -> str:
            # As rendered: an Aspect or an override may have the last word.
            return str(rendered_timeout(self) or timeout.to_seconds())

        super().__init__(
            scope,
            id,
            layer=cast("lambda_.ILayerVersion | None", layer),
            settings=_settings_of(downstream, budget, deployment, lazy_string(seconds)),
            options=options,
            fixed={
                **network,
                "code": code,
                "handler": handler,
                "runtime": runtime,
                "reserved_concurrent_executions": share.concurrency if reserve_concurrency else None,
            },
        )
        self._timeout_setting = lazy_string(seconds)
        self.downstream = downstream
        self.credentials = credentials
        self.share: ConnectionShare = share
        self._downstreams = {"": downstream}
        self._vicinity, self._drivers, self._layer, self._verify = placement, drivers, layer, verify_at_deploy
        self.database_user = deployment.user
        deployment.run_before(self)
        share.bind(cast("lambda_.IFunction", self), reserve=reserve_concurrency)
        if layer is None:
            say_what_is_lost(self, overlap=overlap)
        else:
            self.node.add_validation(LayerFitsValidation(self, placement))
        if not reserve_concurrency:
            Annotations.of(self).add_warning_v2(
                "cdk-breakwater:concurrency-not-reserved",
                "reserve_concurrency=False: a burst of direct invocations can open more connections than the share "
                "grants. The limits at the sources (MaximumConcurrency, API throttling) stay.",
            )
            acknowledge(self, "reserve_concurrency=False says so.", "Breakwater::DatabaseFunctionConcurrency")
        credentials.grant(cast("lambda_.IFunction", self), downstream)
        downstream.register_function(self, credentials, timeout)

    def _administrator(self) -> Callable[..., lambda_.Function]:
        """Return what works on the database for a deployment, from the same network."""
        raise NotImplementedError

    def _add_database(
        self,
        name: str,
        database: Database,
        credentials: DatabaseCredentials | None,
        connections_per_environment: int | None,
        proxy: Any = None,
    ) -> tuple[Downstream, DatabaseCredentials, ConnectionShare]:
        path = self.node.path
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
            raise BreakwaterError(
                path,
                f"the further database's name is {name!r}, and becomes a part of environment variables.",
                "Give letters, digits and underscores, a letter first.",
            )
        if name.upper() in self._downstreams:
            raise BreakwaterError(path, f"it has a further database {name!r} already.", "Give each its own name.")
        downstream, credentials = _login(database, credentials, proxy, path, self._vicinity.network)
        budget = ConnectionBudget.of(downstream)
        share = self.share.join(
            budget, f"{path} ({name})", connections_per_environment=_each(downstream, connections_per_environment)
        )
        # The name in the function's own variables is that of its first database's schema.
        options = {option: value for option, value in self._vicinity.options.items() if option != "environment"}
        deployment = DatabaseDeployment(
            self._vicinity._replace(options=options),
            downstream,
            share,
            credentials,
            verify=self._verify,
        )
        credentials = deployment.credentials
        deployment.run_before(self)
        timeout = self._vicinity.options.get("timeout") or DEFAULT_TIMEOUT
        own = self._vicinity.options.get("environment") or {}
        for variable, value in _settings_of(downstream, budget, deployment, self._timeout_setting, name).items():
            if variable not in own:
                self.add_environment(variable, value)
        self._downstreams[name.upper()] = downstream
        layer = _layer(self._vicinity, list(self._downstreams.values()), self._drivers)
        if layer is not None and layer is not self._layer:
            # Of two layers, the later one's files win: it has what the earlier one has.
            self.add_layers(cast("lambda_.ILayerVersion", layer))
            self._layer = layer
        credentials.grant(cast("lambda_.IFunction", self), downstream)
        downstream.register_function(self, credentials, timeout)
        return downstream, credentials, share


def _login(
    database: Database, credentials: DatabaseCredentials | None, proxy: Any, path: str, network: Mapping[str, Any]
) -> tuple[Downstream, DatabaseCredentials]:
    """Return what a function connects to, and what it logs in with unless the deployment makes a user."""
    server = Downstream.of(database)
    credentials = credentials or DatabaseCredentials.of(server, path)
    return _through_proxy(server, proxy, path, network), credentials


def _through_proxy(database: Downstream, proxy: Any, path: str, network: Mapping[str, Any]) -> Downstream:
    """Look at a database through the RDS Proxy that a function asks for, or at itself."""
    vpc: ec2.IVpc | None = network.get("vpc")
    if proxy is not None and proxy is not False:
        from ..proxies.proxy_downstream import ProxyDownstream

        database = ProxyDownstream.before(database, proxy, where=path, vpc=vpc)
    if database.behind_proxy and vpc is None:
        # Source: RDS User Guide, "Quotas and limitations for RDS Proxy".
        raise BreakwaterError(
            path,
            "an RDS Proxy can be reached in its VPC alone.",
            "Use VpcDatabaseFunction, or the database itself.",
        )
    return database


def _each(downstream: Downstream, given: int | None) -> int:
    return downstream.engine.connections_per_environment if given is None else given


def _settings_of(
    downstream: Downstream,
    budget: ConnectionBudget,
    deployment: DatabaseDeployment,
    timeout: str,
    name: str | None = None,
) -> dict[str, str]:
    """Return the variables that tell `breakwater_runtime` of a database; `name` is that of a further one."""
    settings = {
        environment.ENGINE: downstream.engine.runtime_engine,
        environment.HOST: downstream.host,
        environment.PORT: Tokenization.stringify_number(downstream.port),
        environment.MAX_CONNECTIONS: budget.max_connections_token,
        environment.UTILIZATION: str(budget.utilization),
        environment.TLS_CA: "bundled" if downstream.has_certificate_authority else "system",
        environment.FUNCTION_TIMEOUT: timeout,
        **deployment.credentials.settings(),
    }
    if name is None:
        settings[environment.VERSION] = VERSION
    if deployment.database_name is not None:
        settings[environment.DATABASE] = deployment.database_name
    # Aurora DSQL refuses most of what could be SET, and its sessions are nobody's to end.
    if downstream.behind_proxy or downstream.lends_by_transaction or downstream.engine is DatabaseEngine.AURORA_DSQL:
        settings[environment.PROXY] = "1"
    return {environment.variable(setting, name): value for setting, value in settings.items()}


def _layer(
    placement: FunctionPlacement, downstreams: Sequence[Downstream], drivers: Sequence[str] | None
) -> RuntimeLayer | None:
    if placement.runtime.family == lambda_.RuntimeFamily.NODEJS:
        # the Node.js layer knows these two protocols; what others need is in the function's own code
        if not any(downstream.engine.is_mysql or downstream.engine.is_postgresql for downstream in downstreams):
            return None
        drivers = drivers or []
    elif placement.runtime.family != lambda_.RuntimeFamily.PYTHON:
        return None
    elif drivers is None:
        require_drivers(placement, downstreams)
        drivers = [driver for downstream in downstreams if (driver := downstream.engine.driver)]
    authorities = dict.fromkeys(pem for downstream in downstreams if (pem := downstream.certificate_authority()))
    return RuntimeLayer.for_function_in(
        placement.scope,
        runtime=placement.runtime,
        architecture=placement.options.get("architecture"),
        drivers=drivers,
        certificate_authority="\n".join(authorities) or None,
    )
