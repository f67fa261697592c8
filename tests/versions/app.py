"""Every construct once, in one stack."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import Duration
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_rds as rds

from cdk_breakwater import (
    ApiProtocol,
    ConnectionBudget,
    DataApiFunction,
    DatabaseCredentials,
    DatabaseEngine,
    DecoupledInvocation,
    Downstream,
    DownstreamChecks,
    FrontDoor,
    InvocationSource,
    PublicSslDatabaseFunction,
    QuotaThrottledInvocation,
    QuotaTier,
    RuntimeLayer,
    ThrottledApi,
    VpcDatabaseFunction,
    breakwater_dashboard,
)

app = cdk.App()
stack = cdk.Stack(app, "Versions")
vpc = ec2.Vpc(stack, "Vpc", max_azs=2)
code = {
    "code": lambda_.Code.from_inline("def handler(event, context): ..."),
    "handler": "index.handler",
    "runtime": lambda_.Runtime.PYTHON_3_14,
}

instance = rds.DatabaseInstance(
    stack,
    "Instance",
    engine=rds.DatabaseInstanceEngine.postgres(version=rds.PostgresEngineVersion.VER_17),
    vpc=vpc,
    storage_encrypted=True,
    parameters={"max_connections": "112"},
)
writer = VpcDatabaseFunction(stack, "Writer", database=instance, vpc=vpc, share_weight=3, **code)
reader = VpcDatabaseFunction(stack, "Reader", database=instance, vpc=vpc, **code)
existing = lambda_.Function(stack, "Existing", **code)
ConnectionBudget.of(instance).share("existing", concurrency=10).limit(existing)
jobs = DecoupledInvocation(stack, "Standard", function=writer, source=InvocationSource.sqs())
door: FrontDoor = jobs.add_front_door("Door", path="orders")
DecoupledInvocation(stack, "Fifo", function=writer, source=InvocationSource.sqs(fifo=True))
DecoupledInvocation(stack, "Kinesis", function=reader, source=InvocationSource.kinesis(shard_count=2))
table = dynamodb.Table(
    stack,
    "Table",
    partition_key=dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING),
    stream=dynamodb.StreamViewType.NEW_IMAGE,
)
DecoupledInvocation(stack, "Changes", function=existing, source=InvocationSource.dynamodb_stream(table))
rest = ThrottledApi(stack, "Rest", function=reader, expected_duration=Duration.millis(200))
rest.add_route("GET", "/orders", rate_limit=2)
rest.add_client("partner", rate_limit=5)
ThrottledApi(stack, "Http", function=reader, rate_limit=50, burst_limit=100, protocol=ApiProtocol.HTTP)

cluster = rds.DatabaseCluster(
    stack,
    "Cluster",
    engine=rds.DatabaseClusterEngine.aurora_mysql(version=rds.AuroraMysqlEngineVersion.VER_3_08_0),
    vpc=vpc,
    vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PUBLIC),
    storage_encrypted=True,
    serverless_v2_max_capacity=4,
    writer=rds.ClusterInstance.serverless_v2("Writer", publicly_accessible=True),
    readers=[rds.ClusterInstance.serverless_v2("Reader", publicly_accessible=True)],
)
PublicSslDatabaseFunction(stack, "Public", database=cluster, acknowledge_public_access="to try the versions", **code)
DataApiFunction(stack, "Data", cluster=cluster, reserved_concurrent_executions=7, **code)

atlas = Downstream.endpoint(
    stack, "Atlas", host="cluster0.example.net", engine=DatabaseEngine.MONGODB, max_connections=60
)
secret = rds.DatabaseSecret(stack, "AtlasSecret", username="app")
VpcDatabaseFunction(stack, "Documents", database=atlas, vpc=vpc, credentials=DatabaseCredentials.secret(secret), **code)
partner = lambda_.Function(stack, "Partner", **code)
QuotaThrottledInvocation(
    stack, "Quota", function=partner, tiers=[QuotaTier(limit=10, period=Duration.seconds(1))], ordered=True
)
RuntimeLayer(stack, "Layer", runtime=lambda_.Runtime.PYTHON_3_10, architecture=lambda_.Architecture.ARM_64)

proxied = VpcDatabaseFunction(
    stack,
    "Proxied",
    database=cluster,
    vpc=vpc,
    proxy=True,
    verify_at_deploy=True,
    credentials=DatabaseCredentials.user("proxied", grants=["SELECT ON shop.*"]),
    **code,
)
VpcDatabaseFunction(stack, "Readers", database=Downstream.readers(cluster), vpc=vpc, **code)
reader.add_database("cluster", database=cluster)

watched = [ConnectionBudget.of(instance), writer, proxied, jobs, rest, door.api]
for construct in watched:
    construct.alarms()
breakwater_dashboard(stack, "Dashboards", watched)

cdk.Validations.of(app).add_plugins(DownstreamChecks())
app.synth()
