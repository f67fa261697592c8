"""Where the answers of a function's jobs are kept, and what the function needs to keep them."""

from __future__ import annotations

from typing import Any

from aws_cdk import Annotations, Duration, RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from constructs import Construct

from .._cdk.arguments import SECONDS, require, shown
from .._cdk.function_qualifiers import unqualified
from .._cdk.nag import acknowledge, compliance_rules
from .._cdk.temporary_bucket import acknowledge_objects, make_private_bucket
from ..errors import BreakwaterError
from ..layers.runtime_settings import RESULTS_BUCKET, RESULTS_SECONDS, RESULTS_TABLE, variable
from ..network.subnets import vpc_made_here, with_way_out

_SHORTEST = 60
_KNOWN: dict[lambda_.Function, JobResults] = {}


class JobResults(Construct):
    """The results of one function's jobs: a table, and a bucket for results that are larger than an item.

    Parameters
    ----------
    scope, id
        Beside the source: the function refers to both, and neither to the function.
    function
        Whose jobs.
    ttl
        How long an answer can be fetched. The item is deleted after the same time again. Until then, the front door can
        tell a result that has expired from one that never existed.

    Attributes
    ----------
    table : dynamodb.TableV2
    bucket : s3.Bucket
    """

    def __init__(self, scope: Construct, id: str, *, function: lambda_.Function, ttl: Duration) -> None:
        super().__init__(scope, id)
        self.ttl = ttl
        self._pages_read = False
        self.table = dynamodb.TableV2(
            self,
            "Table",
            partition_key=dynamodb.Attribute(name="job", type=dynamodb.AttributeType.STRING),
            time_to_live_attribute="delete_after",
            encryption=dynamodb.TableEncryptionV2.aws_managed_key(),
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            removal_policy=RemovalPolicy.DESTROY,
        )
        acknowledge(
            self.table,
            "Answers for a while: point-in-time recovery suffices, a plan of backups would outlive them.",
            *compliance_rules("DynamoDBInBackupPlan"),
        )
        self.bucket = make_private_bucket(
            self,
            "Bucket",
            kept_days=max(1, -(-int(ttl.to_seconds()) // 86_400)),
            uploads_days=1,
            reason="Each answer is written once under a name of its own and deleted with its term: versions, replicas, "
            "access logs and a customer's key would keep or guard copies of what is meant to go.",
        )
        self._allow(function)

    def let_pages_read(self) -> None:
        """Let pages of any origin read a large answer by its link, which alone lets in, for five minutes.

        Any, since a browser that follows the redirect from the API's origin to the bucket's sends the origin "null"
        (Fetch Standard, "HTTP-redirect fetch": the request's origin is tainted).
        """
        if not self._pages_read:
            self._pages_read = True
            self.bucket.add_cors_rule(allowed_methods=[s3.HttpMethods.GET], allowed_origins=["*"])

    @staticmethod
    def of(where: Construct, scope: Construct, function: lambda_.IFunction, ttl: Duration) -> JobResults:
        """Return a function's results, made with its first front door.

        Raises
        ------
        BreakwaterError
            When the function is imported, the term is a token or below a minute, or differs from that of another door.
        """
        function = unqualified(function)
        if not isinstance(function, lambda_.Function):
            raise BreakwaterError(
                where,
                f"{function.node.path} is imported, so its environment can't name the table of answers.",
                "Add the front door in the function's app.",
            )
        require(where, {"result_ttl": ttl}, {"result_ttl": SECONDS})
        if ttl.to_seconds() < _SHORTEST:
            raise BreakwaterError(where, f"result_ttl is {shown(ttl)}.", f"It is {_SHORTEST} s or more.")
        if function not in _KNOWN:
            _KNOWN[function] = JobResults(scope, "JobResults", function=function, ttl=ttl)
        results = _KNOWN[function]
        if results.ttl.to_seconds() != ttl.to_seconds():
            raise BreakwaterError(
                where,
                f"result_ttl={int(ttl.to_seconds())} s, and another front door of {function.node.path} has "
                f"{int(results.ttl.to_seconds())} s.",
                "Use the same value for both: the function stores its answers in one table.",
            )
        return results

    def _allow(self, function: lambda_.Function) -> None:
        for name, value in (
            (RESULTS_TABLE, self.table.table_name),
            (RESULTS_BUCKET, self.bucket.bucket_name),
            (RESULTS_SECONDS, str(int(self.ttl.to_seconds()))),
        ):
            function.add_environment(variable(name), value)
        self.table.grant(function, "dynamodb:UpdateItem")
        objects = self.bucket.arn_for_objects("*")
        iam.Grant.add_to_principal(grantee=function, actions=["s3:PutObject"], resource_arns=[objects])
        acknowledge_objects(
            function.role, self.bucket, "The function names the objects in its bucket of large answers."
        )
        if function.is_bound_to_vpc and not _has_way_out(function):
            Annotations.of(function).add_info_v2(
                "cdk-breakwater:way-to-results",
                "It keeps answers in DynamoDB, and large ones in S3. Its subnets need a route there: a NAT gateway, or "
                "the two gateway endpoints, which are free of charge.",
            )


def _has_way_out(function: lambda_.Function) -> bool:
    """Whether this app shows that all of the function's subnets have one."""
    resource: Any = function.node.default_child
    subnet_ids = resource._cfn_properties["vpcConfig"]["subnetIds"]
    vpc = vpc_made_here(subnet_ids, function)
    return vpc is not None and with_way_out(vpc).issuperset(subnet_ids)
