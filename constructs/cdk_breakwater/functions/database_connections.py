"""What a function needs of the databases that it connects to: shares, logins, variables, a layer."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from aws_cdk import Annotations, Duration, Tokenization
from aws_cdk import aws_lambda as lambda_

from breakwater_runtime._version import VERSION

from .._cdk.arguments import FLAG, TEXTS, Kind, instance_of, require
from .._cdk.function_settings import rendered_timeout
from .._cdk.kinds import is_construct, is_proxy
from .._cdk.late_validation import validate_at_synth
from .._cdk.lazy import lazy_string
from .._cdk.nag import acknowledge
from .._cdk.rendered import environment_variables
from .._cdk.roles import is_immutable
from ..budgets.budget import ConnectionBudget
from ..downstreams.credentials import DatabaseCredentials
from ..downstreams.downstream import Downstream
from ..errors import BreakwaterError
from ..layers import runtime_settings as environment
from ..layers.runtime_layer import RuntimeLayer
from ..limits.aws_lambda import DEFAULT_TIMEOUT_SECONDS, MOST_LAYERS
from ..limits.engines import DatabaseEngine
from .database_users.deployment import DatabaseDeployment
from .environment_capacity import environment_errors
from .runtime_presence import layer_errors, require_drivers, say_what_is_lost

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aws_cdk import aws_ec2 as ec2

    from ..budgets.share import ConnectionShare
    from ..downstreams.database_types import Database, Proxy
    from .database_users.placement import FunctionPlacement
    from .database_users.user import DatabaseUser


def _is_database(value: Any) -> bool:
    return is_construct(value) or isinstance(value, Downstream)


def _is_proxy(value: Any) -> bool:
    return isinstance(value, bool) or is_proxy(value)


_LOGIN = {
    "database": Kind("a database of RDS, DocumentDB, ElastiCache or DSQL, or Downstream.endpoint(…)", _is_database),
    "credentials": instance_of(DatabaseCredentials, "DatabaseCredentials.user(…), .secret(…) or .iam(…)"),
    "proxy": Kind("True, or an RDS Proxy", _is_proxy),
}
_OPTIONS = {"drivers": TEXTS, "verify_at_deploy": FLAG, "overlap": FLAG, "reserve_concurrency": FLAG}
_BY_FUNCTION: dict[lambda_.Function, DatabaseConnections] = {}


class DatabaseConnections:
    """The databases that a function connects to, the first of them and further ones.

    Parameters
    ----------
    function
        Who connects: one of this library's, or one made elsewhere.
    placement
        Where it stands.
    drivers, verify_at_deploy, overlap
        As for `VpcDatabaseFunction`.

    Attributes
    ----------
    user : DatabaseUser or None
        The user that the deployment makes for it on its first database.
    """

    def __init__(
        self,
        function: lambda_.Function,
        placement: FunctionPlacement,
        *,
        drivers: Sequence[str] | None,
        verify_at_deploy: bool,
        overlap: bool | None,
    ) -> None:
        given = {
            "drivers": drivers,
            "verify_at_deploy": verify_at_deploy,
            "overlap": overlap,
            "reserve_concurrency": placement.reserve_concurrency,
        }
        require(placement.path, given, _OPTIONS)
        self._function = function
        self._placement = placement
        self._drivers = drivers
        self._verify = verify_at_deploy
        self._overlap = overlap
        self._layer: RuntimeLayer | None = None
        self._downstreams: dict[str, Downstream] = {}
        self._share: ConnectionShare | None = None
        self.user: DatabaseUser | None = None
        # As rendered: an Aspect or an override may have the last word.
        self._timeout = lazy_string(lambda: str(rendered_timeout(function) or DEFAULT_TIMEOUT_SECONDS))
        _BY_FUNCTION[function] = self
        validate_at_synth(function, lambda: environment_errors(function, self._downstreams))

    @staticmethod
    def of(function: lambda_.Function) -> DatabaseConnections | None:
        """Return those of a function that connects to a database already, or None."""
        return _BY_FUNCTION.get(function)

    def first(
        self,
        database: Database,
        credentials: DatabaseCredentials | None,
        *,
        share_weight: float | None,
        concurrency: int | None,
        connections_per_environment: int | None,
        proxy: Proxy | bool | None = None,
    ) -> tuple[Downstream, DatabaseCredentials, ConnectionShare]:
        """Connect to the first database, whose share is the function's reserved concurrency."""
        path = self._placement.path
        downstream, credentials = self._login(database, credentials, proxy)
        share = ConnectionBudget.of(downstream).share(
            path,
            weight=share_weight,
            concurrency=concurrency,
            connections_per_environment=_each(downstream, connections_per_environment),
        )
        self._share = share
        credentials = self._connect(None, downstream, credentials, share)
        overlap = self._layer is None if self._overlap is None else self._overlap
        if self._placement.reserve_concurrency:
            share.limit(self._function, overlap=overlap)
        else:
            share.bind(cast("lambda_.IFunction", self._function), reserve=False)
            share.count_overlap(overlap=overlap)
            self._warn_of_bursts()
        if self._layer is None:
            say_what_is_lost(self._function, downstream, overlap=self._overlap)
        else:
            validate_at_synth(self._function, partial(layer_errors, self._function, self._placement))
        return downstream, credentials, share

    def add(
        self,
        name: str,
        database: Database,
        credentials: DatabaseCredentials | None,
        *,
        connections_per_environment: int | None,
        proxy: Proxy | bool | None = None,
    ) -> tuple[Downstream, DatabaseCredentials, ConnectionShare]:
        """Connect to a further database; the function has the smallest of its shares.

        Raises
        ------
        BreakwaterError
            When the name is not right or taken.
        """
        path = self._placement.path
        if not (isinstance(name, str) and re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name)):
            raise BreakwaterError(
                path,
                f"the further database's name is {name!r}, and becomes a part of environment variables.",
                "Give letters, digits and underscores, a letter first.",
            )
        if name.upper() in self._downstreams:
            raise BreakwaterError(path, f"it has a further database {name!r} already.", "Give each its own name.")
        downstream, credentials = self._login(database, credentials, proxy)
        share = cast("ConnectionShare", self._share).join(
            ConnectionBudget.of(downstream),
            f"{path} ({name})",
            connections_per_environment=_each(downstream, connections_per_environment),
        )
        return downstream, self._connect(name, downstream, credentials, share), share

    def _login(
        self, database: Database, credentials: DatabaseCredentials | None, proxy: Proxy | bool | None
    ) -> tuple[Downstream, DatabaseCredentials]:
        """Return what the function connects to, and what it logs in with unless the deployment makes a user."""
        path = self._placement.path
        given = {"database": database, "credentials": credentials, "proxy": proxy}
        require(path, given, _LOGIN, needed=("database",))
        server = Downstream.of(database)
        credentials = credentials or DatabaseCredentials.of(server, path)
        return _through_proxy(server, proxy, path, self._placement.network), credentials

    def _connect(
        self, name: str | None, downstream: Downstream, credentials: DatabaseCredentials, share: ConnectionShare
    ) -> DatabaseCredentials:
        function, placement = self._function, self._placement
        if name is not None:
            # The name in the function's own variables is that of its first database's schema.
            options = {option: value for option, value in placement.options.items() if option != "environment"}
            placement = placement._replace(options=options)
        deployment = DatabaseDeployment(placement, downstream, share, credentials, verify=self._verify)
        credentials = deployment.credentials
        self._downstreams["" if name is None else name.upper()] = downstream
        self._add_layer()
        own = environment_variables(function.node.default_child)
        for variable, value in _settings(downstream, share.budget, deployment, self._timeout, name).items():
            if variable not in own:
                function.add_environment(variable, value)
        deployment.run_before(function)
        if name is None:
            self.user = deployment.user
        credentials.grant(cast("lambda_.IFunction", function), downstream)
        self._warn_of_an_immutable_role(downstream, credentials)
        timeout = function.timeout or Duration.seconds(DEFAULT_TIMEOUT_SECONDS)
        downstream.register_function(function, credentials, timeout)
        return credentials

    def _add_layer(self) -> None:
        layer = _layer(self._placement, list(self._downstreams.values()), self._drivers)
        if layer is None or layer is self._layer:
            return
        try:
            # Of two layers, the later one's files win: it has what the earlier one has.
            self._function.add_layers(cast("lambda_.ILayerVersion", layer))
        except RuntimeError as refused:  # what an exception of the CDK becomes
            raise BreakwaterError(
                self._placement.path,
                f"the runtime layer cannot be added: {str(refused).splitlines()[0]}",
                f"Lambda takes {MOST_LAYERS} layers: remove one, or bundle what it holds with the function's code.",
            ) from refused
        self._layer = layer

    def _warn_of_an_immutable_role(self, downstream: Downstream, credentials: DatabaseCredentials) -> None:
        role = self._function.role
        if role is None or not is_immutable(role):
            return
        needs = []
        if credentials.login_secret is not None:
            needs.append(f"secretsmanager:GetSecretValue on {credentials.login_secret.node.path}")
        if credentials.login_user is not None:
            needs.append(f"rds-db:connect as {credentials.login_user} on {downstream.construct.node.path}")
        if self._placement.network:
            needs.append("what AWSLambdaVPCAccessExecutionRole allows")
        if needs:
            Annotations.of(self._function).add_warning_v2(
                "cdk-breakwater:role-not-changed",
                f"its role {role.node.path} takes no statement here, and must allow {'; '.join(needs)}.",
            )

    def _warn_of_bursts(self) -> None:
        Annotations.of(self._function).add_warning_v2(
            "cdk-breakwater:concurrency-not-reserved",
            "reserve_concurrency=False: a burst of direct invocations can open more connections than the share "
            "grants. The limits at the sources (MaximumConcurrency, API throttling) stay.",
        )
        acknowledge(self._function, "reserve_concurrency=False says so.", "Breakwater::DatabaseFunctionConcurrency")


def _through_proxy(
    database: Downstream, proxy: Proxy | bool | None, path: str, network: Mapping[str, Any]
) -> Downstream:
    """Look at a database through the RDS Proxy that a function asks for, or at itself."""
    vpc: ec2.IVpc | None = network.get("vpc")
    if proxy is not None and proxy is not False:
        from ..proxies.proxy_downstream import ProxyDownstream

        database = ProxyDownstream.before(database, proxy, where=path, vpc=vpc)
    if database.behind_proxy and vpc is None:
        # Source: RDS User Guide, "Quotas and limitations for RDS Proxy".
        raise BreakwaterError(
            path,
            "an RDS Proxy can be reached only from its VPC.",
            "Use VpcDatabaseFunction, or the database itself.",
        )
    return database


def _each(downstream: Downstream, given: int | None) -> int:
    return downstream.engine.connections_per_environment if given is None else given


def _settings(
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
        environment.TLS_CA: downstream.tls_ca,
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
    try:
        return RuntimeLayer.for_function_in(
            placement.scope,
            runtime=placement.runtime,
            architecture=placement.options.get("architecture"),
            drivers=drivers,
            certificate_authority="\n".join(authorities) or None,
        )
    except BreakwaterError as error:  # of a layer whose name nobody has given
        raise BreakwaterError(placement.path, error.problem, error.remedy) from error
