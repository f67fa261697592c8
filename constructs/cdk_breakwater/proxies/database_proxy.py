"""The RDS Proxy of a database, made once for all of its functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from aws_cdk import Duration, Token
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_rds as rds
from constructs import Construct

from .._cdk.kinds import is_cluster
from .._cdk.late_validation import validate_at_synth
from .._cdk.lazy import lazy_any, lazy_number, lazy_string
from .._cdk.nag import acknowledge, compliance_rules
from ..errors import BreakwaterError
from ..network.subnets import private_subnets, select
from .borrow_timeout import FunctionTimeouts
from .logins import ProxyLogins
from .proxy_name import proxy_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from constructs import IConstruct

    from ..downstreams.credentials import DatabaseCredentials
    from ..downstreams.downstream import Downstream
    from ..downstreams.proxy_options import ProxyOptions

_ID = "BreakwaterProxy"
# A flow that is idle for about 350 s is dropped on its way without a word (AWS Lambda Developer Guide, VPC networking),
# so that nobody comes back to a client connection that has been idle for longer.
_IDLE_CLIENT = 360


class DatabaseProxy(Construct):
    """An RDS Proxy whose logins and timeouts follow from the functions behind it.

    Not made directly: see `VpcDatabaseFunction(proxy=True)` and `Downstream.proxy`.

    Parameters
    ----------
    database
        The database, of RDS or Aurora.
    vpc
        Where the database is.
    percent
        Computes MaxConnectionsPercent of this proxy at synth; must not raise.
    options
        Props of `rds.DatabaseProxy` that the user gave.

    Attributes
    ----------
    proxy : rds.DatabaseProxy
        The proxy.
    given_percent : int or None
        MaxConnectionsPercent, where the user says it.
    """

    def __init__(
        self,
        database: Downstream,
        vpc: ec2.IVpc,
        percent: Callable[[DatabaseProxy], int],
        options: ProxyOptions,
    ) -> None:
        super().__init__(cast("Construct", database.construct), _ID)
        self._timeouts = FunctionTimeouts()
        self.given_percent: int | None = None
        self._subnets = self._two_zones(vpc)
        validate_at_synth(self, self._login_errors)
        self._security_group = ec2.SecurityGroup(
            self, "SecurityGroup", vpc=vpc, description="RDS Proxy", allow_all_outbound=False
        )
        self._role = iam.Role(
            self, "Role", assumed_by=cast("iam.IPrincipal", iam.ServicePrincipal("rds.amazonaws.com"))
        )
        acknowledge(
            self._role,
            "CDK writes a grant as an inline policy of the role it is granted to.",
            *compliance_rules("IAMNoInlinePolicy"),
        )
        source: Any = database.construct
        rules = _rules(source)
        target = rds.ProxyTarget.from_cluster if is_cluster(source) else rds.ProxyTarget.from_instance
        # No session pinning filter: it lets a variable that one client SETs be met by the next. Source: RDS User Guide,
        # "Creating a proxy": choose one only where that is known to do no harm.
        chosen: dict[str, Any] = {
            "db_proxy_name": proxy_name(self),
            "require_tls": True,
            "borrow_timeout": Duration.seconds(lazy_number(self._timeouts.borrow_seconds)),
            "idle_client_timeout": Duration.seconds(
                lazy_number(lambda: max(_IDLE_CLIENT, self._timeouts.longest_seconds()))
            ),
            **options,
        }
        self.proxy = rds.DatabaseProxy(
            self,
            "Proxy",
            proxy_target=target(source),
            vpc=vpc,
            vpc_subnets=self._subnets,
            security_groups=[cast("ec2.ISecurityGroup", self._security_group)],
            role=cast("iam.IRole", self._role),
            default_auth_scheme=rds.DefaultAuthScheme.IAM_AUTH,
            max_connections_percent=lazy_number(lambda: percent(self)),
            **chosen,
        )
        for rule in _rules(source) - rules:
            acknowledge(
                rule,
                "The proxy's security group, at the database's port: an attribute that the rule cannot read.",
                *compliance_rules("EC2RestrictedCommonPorts", "EC2RestrictedSSH"),
            )
        self._logins = ProxyLogins(database, self, self._role, chosen.get("client_password_auth_type"))
        resource: Any = self.proxy.node.default_child
        # The L2 fixes them in its constructor, and functions with logins of their own come later.
        resource.auth = lazy_any(self._logins.auth)
        resource.default_auth_scheme = lazy_string(self._logins.default_scheme)

    @staticmethod
    def of(
        database: Downstream,
        vpc: ec2.IVpc | None,
        percent: Callable[[DatabaseProxy], int],
        where: str,
        options: ProxyOptions,
    ) -> DatabaseProxy:
        """Find the proxy of a database, or make it.

        Raises
        ------
        BreakwaterError
            When the VPC is not known, or has no private subnets in two Availability Zones, or options come too late.
        """
        found = database.construct.node.try_find_child(_ID)
        if isinstance(found, DatabaseProxy):
            if options:
                raise BreakwaterError(
                    where,
                    f"{', '.join(options)} given after the proxy {found.node.path} was made.",
                    "Call Downstream.proxy(database, …) before the first function with proxy=True.",
                )
            return found
        vpc = getattr(database.construct, "vpc", None) or vpc
        if vpc is None:
            raise BreakwaterError(
                where,
                f"the VPC of {database.construct.node.path} is not known, and its RDS Proxy must be in it.",
                "Pass vpc=… to Downstream.proxy(…).",
            )
        return DatabaseProxy(database, vpc, percent, options)

    def _login_errors(self) -> list[str]:
        # RDS refuses a proxy without a login. Source: Amazon RDS API Reference, CreateDBProxy, Auth.
        if self._logins.any:
            return []
        return ["no function logs in through it. Pass it to one: VpcDatabaseFunction(…, proxy=True)."]

    def register_function(self, function: Construct, credentials: DatabaseCredentials, timeout: Duration) -> None:
        """Take part in a function's login, and answer before its timeout.

        Raises
        ------
        BreakwaterError
            When the secret is in a stack that depends on the proxy's, or the timeout leaves no time to wait.
        """
        self._timeouts.add(function, timeout)
        self._logins.add(function, credentials)

    def read_only_endpoint(self) -> str:
        """Return the host name of the endpoint that leads to a cluster's readers."""
        endpoint = self.node.try_find_child("Readers")
        if not isinstance(endpoint, rds.CfnDBProxyEndpoint):
            endpoint = rds.CfnDBProxyEndpoint(
                self,
                "Readers",
                db_proxy_name=self.proxy.db_proxy_name,
                db_proxy_endpoint_name=proxy_name(self, "Readers"),
                target_role="READ_ONLY",
                vpc_subnet_ids=select(self._vpc, self._subnets).subnet_ids,
                vpc_security_group_ids=[self._security_group.security_group_id],
            )
            # It is refused until the proxy knows a reader. Source: Aurora User Guide, "Creating a proxy endpoint".
            endpoint.node.add_dependency(self.proxy.node.find_child("ProxyTargetGroup"))
        return endpoint.attr_endpoint

    def _two_zones(self, vpc: ec2.IVpc) -> ec2.SubnetSelection:
        self._vpc = vpc
        subnets = private_subnets(self.node.path, vpc, None)
        zones = select(vpc, subnets).availability_zones
        if not any(Token.is_unresolved(zone) for zone in zones) and len(set(zones)) < 2:
            raise BreakwaterError(
                self,
                f"the private subnets of {vpc.node.path} are in {len(set(zones))} Availability Zone, and an RDS Proxy "
                "needs two.",
                "Add private subnets in another zone.",
            )
        return subnets


def _rules(database: Any) -> set[IConstruct]:
    return {rule for group in database.connections.security_groups for rule in group.node.children}
