"""What keeps a budget at every instant of a stack's deployment: a gate before its functions, a release after them."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, cast

import jsii
from aws_cdk import (
    AspectPriority,
    Aspects,
    CfnOutput,
    CfnResource,
    CustomResource,
    Duration,
    IAspect,
    NestedStack,
    Stack,
    Token,
)
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from .._cdk.late_validation import validate_at_synth
from .._cdk.lazy import lazy_string
from .._cdk.log_groups import make_log_group
from .._cdk.nag import acknowledge, compliance_rules
from .._cdk.references import references
from .._cdk.rendered import rendered
from ..errors import BreakwaterError
from ..layers.handler_code import handler_code
from .deployment_guard_table import ANSWERS, GuardTable

if TYPE_CHECKING:
    from constructs import IConstruct

    from .budget import ConnectionBudget
    from .share import ConnectionShare, FollowingMapping

_ID = "BreakwaterDeploymentGuard"
# Ten minutes until another stack is deployed, and time for the work itself.
_TIMEOUT = Duration.minutes(15)
# What changes the limit of the server itself, or of a proxy's pool.
_LIMITS = (
    "AWS::RDS::DBParameterGroup",
    "AWS::RDS::DBClusterParameterGroup",
    "AWS::RDS::DBProxyTargetGroup",
    "AWS::RDS::DBInstance",
    "AWS::RDS::DBCluster",
)
# What names a parameter group that may have been made anywhere.
_GROUPS = {
    "AWS::RDS::DBInstance": ("db_parameter_group_name",),
    "AWS::RDS::DBCluster": ("db_cluster_parameter_group_name", "db_instance_parameter_group_name"),
}
_NAME_CHARACTERS = 20
_RESERVED, _SCALING = "ReservedConcurrentExecutions", "ScalingConfig"
_TAGS = ("breakwater:uses", "breakwater:share", "breakwater:set")

# jsii keeps Python objects by weak reference, see budget.py.
_GUARDS: dict[Stack, DeploymentGuard] = {}


class DeploymentGuard(Construct):
    """The gate and the release of one stack, and the function that answers for them.

    Not made directly: `ConnectionBudget.of(database, guard_deployments=True)` makes one in each stack that has a
    function with a share of the budget, or the database.

    The gate comes before every function of the stack, and answers the reservation that CloudFormation may set now. The
    release has a hash of the shares in its logical id: with other shares it is another resource, and the old one is
    deleted at the very end of the deployment, when what left is gone. Then everybody rises to the share.
    """

    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        self.table = GuardTable(Stack.of(self))
        self._function, self._role = self._make_function()
        self.gate = self._resource("Gate", "BreakwaterGate", self.table.gate_properties)
        self.release = self._resource("Release", "BreakwaterRelease", self.table.properties)
        withheld = CfnOutput(
            self,
            "Withheld",
            description="Functions that have less than their share of a database, for lack of room",
            value=self.gate.get_att_string(ANSWERS[0]),
        )
        withheld.override_logical_id("BreakwaterWithheld")
        # Whoever has a release has passed the gate, so that none lets others rise while it is another stack's turn.
        self.release.node.add_dependency(self.gate)
        validate_at_synth(self, self._override_errors)
        Aspects.of(self).add(cast("IAspect", _Finish(self)), priority=AspectPriority.READONLY)

    @staticmethod
    def of(construct: IConstruct) -> DeploymentGuard:
        """Find the guard of a construct's stack, or make it.

        Raises
        ------
        BreakwaterError
            When the stack is nested: its functions are deployed within another stack's deployment.
        """
        stack = Stack.of(construct)
        if NestedStack.is_nested_stack(stack):
            raise BreakwaterError(
                construct,
                "guard_deployments=True is not possible in a nested stack.",
                "Move the function to a stack of its own, or leave guard_deployments out: `breakwater plan --diff` "
                "tells what a deployment does.",
            )
        if stack not in _GUARDS:
            _GUARDS[stack] = DeploymentGuard(stack, _ID)
        return _GUARDS[stack]

    def govern(self, share: ConnectionShare) -> None:
        """Let the gate answer the reservation of a share's function, and what its queues' mappings may have."""
        function = cast("lambda_.IFunction", share.reserves)
        resource = cast("lambda_.CfnFunction", function.node.default_child)
        if not self.table.has(resource):
            self._govern(resource, share)
        for mapping in share.mappings:
            if (key := self.table.add_mapping(mapping)) is not None:
                self._govern_mapping(mapping, key)

    def _govern(self, resource: lambda_.CfnFunction, share: ConnectionShare) -> None:
        key = self.table.add(resource, share)
        resource.reserved_concurrent_executions = Token.as_number(self.gate.get_att(key))
        resource.node.add_dependency(self.release.node.default_child)
        uses = lazy_string(lambda: self.table.uses_tag(share))
        values = (uses, lazy_string(lambda: str(share.resolve())), self.gate.get_att_string(key))
        for tag, value in zip(_TAGS, values, strict=True):
            resource.tags.set_tag(tag, value)

    def _govern_mapping(self, mapping: FollowingMapping, key: str) -> None:
        maximum = Token.as_number(self.gate.get_att(key))
        mapping.resource.scaling_config = lambda_.CfnEventSourceMapping.ScalingConfigProperty(
            maximum_concurrency=maximum
        )
        # It is gone before the release lets mappings rise, whatever becomes of its function.
        mapping.resource.node.add_dependency(cast("IConstruct", self.release.node.default_child))
        mapping.resource.cdk_tag_manager.set_tag(_TAGS[1], lazy_string(lambda: str(mapping.part())))

    def keep(self, budget: ConnectionBudget) -> None:
        """Change the server's own limit after the gate, where the database is in this stack."""
        self.table.here.add(budget)
        database = cast("IConstruct", budget.downstream.construct if budget.downstream is not None else budget)
        gate = cast("IConstruct", self.gate.node.default_child)
        limits = [found for found in database.node.find_all() if isinstance(found, CfnResource)]
        limits += [group for resource in limits for group in _parameter_groups(resource)]
        for resource in limits:
            if resource.cfn_resource_type in _LIMITS and Stack.of(resource) is Stack.of(self):
                resource.node.add_dependency(gate)

    def _resource(self, id: str, kind: str, properties: dict[str, Any]) -> CustomResource:
        resource = CustomResource(
            self,
            id,
            service_token=self._function.function_arn,
            resource_type=f"Custom::{kind}",
            properties=properties,
            service_timeout=_TIMEOUT,
        )
        # Its permissions, too: they must be there before the gate, and until the release is gone.
        resource.node.add_dependency(self._function, self._role)
        return resource

    def _make_function(self) -> tuple[lambda_.Function, iam.Role]:
        principal = cast("iam.IPrincipal", iam.ServicePrincipal("lambda.amazonaws.com"))
        role = iam.Role(self, "Role", assumed_by=principal)
        log_group = make_log_group(self, "Logs")
        function = lambda_.Function(
            self,
            "Function",
            runtime=lambda_.Runtime.PYTHON_3_14,
            architecture=lambda_.Architecture.ARM_64,
            memory_size=256,
            timeout=_TIMEOUT,
            tracing=lambda_.Tracing.ACTIVE,
            log_group=log_group,
            role=cast("iam.IRole", role),
            **handler_code("deployment_guard", "guard.handler"),
        )
        log_group.grant_write(role)
        acknowledge(
            function,
            "Deployments alone call it, wait for its answer and show its error. It calls AWS services only, by TLS and "
            "IAM, so a VPC would add nothing, and it must not compete for the concurrency that it gives out.",
            "Serverless-LambdaDLQ",
            *compliance_rules("LambdaDLQ", "LambdaConcurrency", "LambdaInsideVPC"),
        )
        acknowledge(
            role,
            "CDK writes a grant as an inline policy of the role it is granted to.",
            *compliance_rules("IAMNoInlinePolicy"),
        )
        return function, role

    def grant_access(self) -> None:
        """Let it look at the functions of its own stack and of those that share a budget, and change governed ones."""
        stack = Stack.of(self)
        account = f"{stack.region}:{stack.account}"
        functions = ["lambda:GetFunction", "lambda:ListTags", "lambda:ListProvisionedConcurrencyConfigs"]
        # A name of CloudFormation's own begins with the stack's, which it shortens where the whole would be too long.
        names = [f"{name[:_NAME_CHARACTERS]}*" for name in self.table.stack_names()] + self.table.function_names()
        stacks = self.table.stack_names()
        mappings = f"arn:{stack.partition}:lambda:{account}:event-source-mapping:*"
        statements = (
            iam.PolicyStatement(
                actions=functions,
                resources=[f"arn:{stack.partition}:lambda:{account}:function:{name}" for name in names],
            ),
            iam.PolicyStatement(
                actions=[*functions, "lambda:PutFunctionConcurrency"],
                resources=[f"arn:{stack.partition}:lambda:{account}:function:*"],
                conditions={"Null": {f"aws:ResourceTag/{_TAGS[0]}": "false"}},
            ),
            iam.PolicyStatement(
                actions=["cloudformation:DescribeStacks", "cloudformation:ListStackResources"],
                resources=[f"arn:{stack.partition}:cloudformation:{account}:stack/{name}/*" for name in stacks],
            ),
            iam.PolicyStatement(actions=["lambda:ListTags"], resources=[mappings]),
            iam.PolicyStatement(
                actions=["lambda:GetEventSourceMapping", "lambda:UpdateEventSourceMapping"],
                resources=[mappings],
                conditions={"Null": {f"aws:ResourceTag/{_TAGS[1]}": "false"}},
            ),
            iam.PolicyStatement(
                actions=["lambda:GetAccountSettings", "lambda:ListEventSourceMappings", "tag:GetResources"],
                resources=["*"],
            ),
        )
        for statement in statements:
            self._function.add_to_role_policy(statement)
        wildcards = {_as_found(stack, arn) for statement in statements for arn in statement.resources if "*" in arn}
        acknowledge(
            self._role,
            "It reads and changes functions and mappings that are tagged as governed, and reads those of the app's own "
            "stacks, whose names are CloudFormation's. X-Ray, the lists of tags and of mappings and the account's "
            "limits know no resources.",
            *(f"AwsSolutions-IAM5[Resource::{found}]" for found in sorted(wildcards)),
        )

    def _override_errors(self) -> list[str]:
        """Refuse a reservation that something else has put over the gate's answer."""
        gate = Stack.of(self).get_logical_id(cast("CfnResource", self.gate.node.default_child))
        found = []
        for resource, key in self.table.resources.items():
            value = rendered(resource, _RESERVED).get(_RESERVED)
            if value != {"Fn::GetAtt": [gate, key]}:
                found.append(
                    f"{resource.node.path} has {_RESERVED}={value}, put over what the deployment guard answers. Remove "
                    "what sets it, or pass budget.share(…, concurrency=…)."
                )
        for mapping, key in self.table.mappings.items():
            scaling = rendered(mapping, _SCALING).get(_SCALING)
            if scaling != {"MaximumConcurrency": {"Fn::GetAtt": [gate, key]}}:
                found.append(
                    f"{mapping.node.path} has {_SCALING}={scaling}, put over what the deployment guard answers. Remove "
                    "what sets it: a mapping's part follows from its function's share."
                )
        return found


def _parameter_groups(resource: CfnResource) -> list[CfnResource]:
    names = [getattr(resource, name) for name in _GROUPS.get(resource.cfn_resource_type, ())]
    found = [group for name in names if name is not None for group in references(name, resource)]
    return [group for group in found if isinstance(group, CfnResource)]


def _as_found(stack: Stack, arn: str) -> str:
    """Write an ARN as cdk-nag does in the id of a finding."""
    resolved = stack.resolve(arn)
    if isinstance(resolved, str):
        return resolved
    parts = resolved["Fn::Join"][1]
    return "".join(part if isinstance(part, str) else f"<{part['Ref']}>" for part in parts)


@jsii.implements(IAspect)
class _Finish:
    """Names the release after the shares, and the stacks to look at, when every Aspect has had its say about them."""

    def __init__(self, guard: DeploymentGuard) -> None:
        self._guard = guard

    def visit(self, node: IConstruct) -> None:
        if node is self._guard:
            digest = hashlib.sha256(json.dumps(self._guard.table.content(), sort_keys=True).encode()).hexdigest()
            release = cast("CfnResource", self._guard.release.node.default_child)
            release.override_logical_id(f"{_ID}Release{digest[:8]}")
            self._guard.grant_access()
