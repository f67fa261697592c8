"""The function that works on a database for a deployment, and the one that answers CloudFormation for it."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from aws_cdk import Annotations, CustomResource, Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from ..._cdk.lazy import lazy_string
from ..._cdk.nag import acknowledge, compliance_rules
from ...downstreams.credentials import DatabaseCredentials
from ...downstreams.rds import POSTGRESQL_DATABASE
from ...errors import BreakwaterError
from ...layers.handler_code import handler_code
from ...limits.engines import DatabaseEngine
from ...network.secrets_manager_endpoint import secrets_manager_endpoint
from ...network.subnets import select
from ..base import PreparedFunction
from .master_user_notice import MASTER_USER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_cdk import RemovalPolicy
    from aws_cdk import aws_secretsmanager as secretsmanager
    from constructs import IDependable

    from ...budgets.budget import ConnectionBudget
    from ...downstreams.downstream import Downstream
    from .placement import FunctionPlacement

# Time for a paused Aurora Serverless database to resume, and to spare.
_TIMEOUT = Duration.minutes(2)
# Requests of one deployment wait for each other: as long as a function can.
_ANSWER_TIMEOUT = Duration.minutes(15)

# jsii keeps Python objects by weak reference, see budgets/budget.py.
_ADMINISTRATIONS: list[DatabaseAdministration] = []


class DatabaseAdministration(Construct):
    """Works on one database, logged in as its administrator, whenever a deployment asks for it.

    One per database, administrator's secret and stack: `DatabaseAdministration.beside` finds it, or makes it. It is a
    database function as any other, with a share of one connection, so that plan and checks count it, too.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        downstream: Downstream,
        secret: secretsmanager.ISecret,
        placement: FunctionPlacement,
    ) -> None:
        super().__init__(scope, id)
        self.downstream = downstream
        self.secret = secret
        Annotations.of(self).acknowledge_info(MASTER_USER, "It is what makes the others' users.")
        python = placement.runtime.family == lambda_.RuntimeFamily.PYTHON
        runtime = placement.runtime if python else lambda_.Runtime.PYTHON_3_14
        self.function = self._make_function(runtime, placement)
        self._answer = self._make_answer(runtime)
        self._verified: CustomResource | None = None
        self._network = placement.network

    @staticmethod
    def beside(
        placement: FunctionPlacement, downstream: Downstream, credentials: DatabaseCredentials, needed_by: str
    ) -> DatabaseAdministration:
        """Find the administration of a database in a function's stack, or make it.

        Parameters
        ----------
        placement
            The function's.
        downstream
            The database.
        credentials
            The function's; they may name the administrator's secret.
        needed_by
            What asks for it, for the error.

        Raises
        ------
        BreakwaterError
            When nothing names the administrator's secret, or the engine has no users of this kind.
        """
        path = downstream.construct.node.path
        if not (downstream.engine.is_mysql or downstream.engine.is_postgresql) or (
            downstream.engine is DatabaseEngine.AURORA_DSQL
        ):
            raise BreakwaterError(
                placement.path,
                f"{needed_by} is for MySQL, MariaDB and PostgreSQL, and {path} is {downstream.engine.value}.",
                "Leave it out.",
            )
        secret = credentials.administrator(downstream)
        if secret is None:
            raise BreakwaterError(
                placement.path,
                f"{needed_by} works on the database {path} as its administrator, and the app does not know its secret.",
                "Pass administrator=secret to DatabaseCredentials.user(…) or .iam(…).",
            )
        stack = Stack.of(placement.scope)
        # The budget's id tells a cluster's readers from its writer: only there can users be made.
        identity = "\n".join((path, downstream.budget_id, secret.node.path))
        key = hashlib.sha256(identity.encode()).hexdigest()[:8]
        id_ = f"DatabaseAdministration{key}"
        found = stack.node.try_find_child(id_)
        if not isinstance(found, DatabaseAdministration):
            found = DatabaseAdministration(stack, id_, downstream, secret, placement)
            _ADMINISTRATIONS.append(found)
        return found

    def custom_resource(
        self, scope: Construct, id: str, kind: str, properties: Mapping[str, Any], removal_policy: RemovalPolicy | None
    ) -> CustomResource:
        """Let a deployment ask for something once the database can be reached."""
        resource = CustomResource(
            scope,
            id,
            service_token=self._answer.function_arn,
            resource_type=f"Custom::{kind}",
            properties=properties,
            removal_policy=removal_policy,
            service_timeout=_ANSWER_TIMEOUT,
        )
        resource.node.add_dependency(*self._reachable())
        return resource

    def verify_max_connections(self, budget: ConnectionBudget, placement: FunctionPlacement) -> CustomResource:
        """Fail the deployment where the server takes fewer connections than the budget was computed from."""
        if self._verified is None:
            properties = {
                "MaxConnections": budget.max_connections_token,
                "Basis": lazy_string(lambda: _basis(budget)),
                **self.database_property(placement),
            }
            self._verified = self.custom_resource(self, "MaxConnections", "MaxConnections", properties, None)
        return self._verified

    def database_property(self, placement: FunctionPlacement) -> dict[str, str]:
        """Name the database to connect to: grants of PostgreSQL are about the objects of one."""
        name = placement.database_name or self.downstream.database_name
        if name is None and self.downstream.engine.is_postgresql and self.downstream.is_rds:
            name = POSTGRESQL_DATABASE
        return {} if name is None else {"Database": name}

    def _make_function(self, runtime: lambda_.Runtime, placement: FunctionPlacement) -> lambda_.Function:
        options = {
            name: placement.options[name] for name in ("architecture", "security_groups") if placement.options.get(name)
        }
        return placement.kind(
            self,
            "Function",
            database=self.downstream,
            **{name: name != "allow_all_outbound" and value for name, value in placement.network.items()},
            runtime=runtime,
            **handler_code("database_administration", "administration.handler"),
            credentials=DatabaseCredentials.secret(self.secret),
            concurrency=1,
            reserve_concurrency=placement.reserve_concurrency,
            timeout=_TIMEOUT,
            **options,
        )

    def _make_answer(self, runtime: lambda_.Runtime) -> lambda_.Function:
        function = PreparedFunction(
            self,
            "Answer",
            layer=None,
            settings={
                "ADMINISTRATION_FUNCTION": self.function.function_name,
                "ADMINISTRATION_TIMEOUT": str(_TIMEOUT.to_seconds()),
            },
            options={"timeout": _ANSWER_TIMEOUT, "memory_size": 256},
            fixed={"runtime": runtime, **handler_code("database_administration", "answer.handler")},
        )
        function.add_to_role_policy(
            iam.PolicyStatement(actions=["lambda:InvokeFunction"], resources=[self.function.function_arn])
        )
        acknowledge(
            function,
            "It calls Lambda, and answers CloudFormation in a bucket of AWS's, which subnets without a way out cannot "
            "reach; deployments alone call it, and it waits for a function that does one thing at a time.",
            *compliance_rules("LambdaConcurrency", "LambdaInsideVPC"),
        )
        return function

    def _reachable(self) -> list[IDependable]:
        needed: list[Any] = [self.function, self.function.role, self._answer, self.downstream.construct]
        if self.downstream.connectable is not None:
            needed += self.downstream.connectable.connections.security_groups
        if vpc := self._network.get("vpc"):
            # Of the subnets: what the CDK says of the VPC is its internet gateway, without attachment and routes.
            subnets = select(vpc, self._network["vpc_subnets"])
            needed += [subnets.internet_connectivity_established, secrets_manager_endpoint(vpc)]
        elif vpc := getattr(self.downstream.server.construct, "vpc", None):
            needed += [subnet.internet_connectivity_established for subnet in vpc.public_subnets]
        return [dependable for dependable in needed if dependable is not None]


def _basis(budget: ConnectionBudget) -> str:
    try:
        return budget.basis
    except BreakwaterError:
        return ""  # a lazy value must not raise; the budget's validation fails the synth
