"""The reference app: the order intake of a web shop. `cdk synth` runs it, and every construct appears in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import aws_cdk as cdk
import cdk_nag
from aws_cdk import (
    Acknowledgment,
    Annotations,
    Duration,
    IPolicyValidationPlugin,
    RemovalPolicy,
    Stack,
    Validations,
    triggers,
)
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_rds as rds
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sns as sns
from constructs import Construct, IConstruct

from cdk_breakwater import (
    ConnectionBudget,
    DataApiFunction,
    DatabaseCredentials,
    DecoupledInvocation,
    DownstreamChecks,
    InvocationSource,
    PublicSslDatabaseFunction,
    QuotaThrottledInvocation,
    QuotaTier,
    RuntimeLayer,
    ThrottledApi,
    VpcDatabaseFunction,
    breakwater_dashboard,
)

HANDLERS = str(Path(__file__).parent / "lambda_src" / "handlers" / "orders")


class Shop(Stack):
    """Orders come in through a queue and are read through an API; neither can exhaust the database's connections.

    Parameters
    ----------
    public
        The variant with a public database, for functions outside any VPC (context `-c public=true`).
    """

    def __init__(self, scope: Construct, id: str, *, public: bool = False) -> None:
        super().__init__(scope, id)
        self.public = public
        self.vpc = _vpc(self)
        self.database = self._database()
        # It changes the schema, so it logs in as the master user.
        self.migration = self._function("Migration", "migration.handler", concurrency=1, timeout=Duration.minutes(5))
        reads = DatabaseCredentials.user("shop_reader", grants=["SELECT ON public.*"])
        writes = DatabaseCredentials.user("shop_writer", grants=["SELECT, INSERT, UPDATE ON public.*"])
        self.reader = self._function("Reader", "reader.handler", credentials=reads)
        self.writer = self._function("Writer", "writer.handler", credentials=writes, share_weight=2)
        self.orders = DecoupledInvocation(self, "Orders", function=self.writer, source=InvocationSource.sqs())
        self.door = self.orders.add_front_door("Door", path="orders")
        self.api = ThrottledApi(self, "Api", function=self.reader, expected_duration=Duration.millis(200))
        # Before the queue and the API, not before the functions: a function's security group belongs to a rule of the
        # database's, which must stand before the migration.
        triggers.Trigger(
            self,
            "Migrate",
            handler=self.migration,
            execute_after=[self.database],
            execute_before=[self.orders, self.api],
            timeout=Duration.minutes(6),
        )
        self.shipping = self._shipping()
        self.stock = self._stock()
        self._watch()
        _acknowledge(self)

    def _shipping(self) -> QuotaThrottledInvocation:
        """Announce orders to a shipping provider, who grants ten calls a second and 5,000 a day."""
        caller = lambda_.Function(
            self,
            "Shipping",
            code=lambda_.Code.from_asset(HANDLERS),
            handler="shipping.handler",
            runtime=lambda_.Runtime.PYTHON_3_14,
            layers=[RuntimeLayer(self, "ShippingRuntime", runtime=lambda_.Runtime.PYTHON_3_14)],
            environment={"SHIPPING_URL": "https://shipping.example.net/v1/announcements"},
            timeout=Duration.seconds(10),
            memory_size=256,
            tracing=lambda_.Tracing.ACTIVE,
            reserved_concurrent_executions=20,
        )
        tiers = [
            QuotaTier(limit=10, period=Duration.seconds(1)),
            QuotaTier(limit=5_000, period=Duration.days(1)),
        ]
        return QuotaThrottledInvocation(self, "Announcements", function=caller, tiers=tiers)

    def _stock(self) -> DataApiFunction:
        """Read the warehouse's own Aurora cluster, which lies in another VPC, through its Data API."""
        cluster = rds.DatabaseCluster.from_database_cluster_attributes(
            self,
            "Warehouse",
            cluster_identifier="warehouse",
            engine=rds.DatabaseClusterEngine.aurora_postgres(version=rds.AuroraPostgresEngineVersion.VER_17_5),
            secret=secretsmanager.Secret.from_secret_name_v2(self, "WarehouseLogin", "warehouse/shop"),
            data_api_enabled=True,
        )
        return DataApiFunction(
            self,
            "Stock",
            cluster=cluster,
            code=lambda_.Code.from_asset(HANDLERS),
            handler="stock.handler",
            runtime=lambda_.Runtime.PYTHON_3_14,
            environment={"BREAKWATER_DATABASE": "warehouse"},
            reserved_concurrent_executions=5,
        )

    def _watch(self) -> None:
        """Call the one who is on duty, and show what there is to see."""
        key = kms.Key(self, "PagerKey", enable_key_rotation=True, removal_policy=RemovalPolicy.DESTROY)
        pager = sns.Topic(self, "Pager", master_key=cast("kms.IKey", key), enforce_ssl=True)
        watched = [
            ConnectionBudget.of(self.database),
            *(self.migration, self.reader, self.writer, self.stock),
            *(self.orders, self.door, self.api, self.shipping),
        ]
        for construct in watched:
            construct.alarms(pager)
        breakwater_dashboard(self, "Dashboards", watched)

    def _function(self, id: str, handler: str, **options: Any) -> VpcDatabaseFunction | PublicSslDatabaseFunction:
        options |= {
            "database": self.database,
            "code": lambda_.Code.from_asset(HANDLERS),
            "handler": handler,
            "runtime": lambda_.Runtime.PYTHON_3_14,
        }
        if self.public:
            return PublicSslDatabaseFunction(
                self, id, acknowledge_public_access="a partner outside AWS reads it until 2027", **options
            )
        return VpcDatabaseFunction(self, id, vpc=self.vpc, **options)

    def _database(self) -> rds.DatabaseInstance:
        key = kms.Key(self, "Key", enable_key_rotation=True, removal_policy=RemovalPolicy.DESTROY)
        database = rds.DatabaseInstance(
            self,
            "Database",
            engine=rds.DatabaseInstanceEngine.postgres(version=rds.PostgresEngineVersion.VER_17_9),
            instance_type=ec2.InstanceType.of(ec2.InstanceClass.T4G, ec2.InstanceSize.MICRO),
            vpc=self.vpc,
            vpc_subnets=ec2.SubnetSelection(
                subnet_type=ec2.SubnetType.PUBLIC if self.public else ec2.SubnetType.PRIVATE_ISOLATED
            ),
            publicly_accessible=self.public,
            port=5433,
            database_name="shop",
            credentials=rds.Credentials.from_generated_secret("shop", encryption_key=cast("kms.IKey", key)),
            # Set here, the number is known. A db.t4g.micro would take about 80 by itself.
            parameters={"max_connections": "80"},
            storage_encryption_key=key,
            multi_az=True,
            backup_retention=Duration.days(7),
            monitoring_interval=Duration.minutes(1),
            cloudwatch_logs_exports=["postgresql", "upgrade"],
            deletion_protection=True,
        )
        if not self.public:
            database.add_rotation_single_user()
        return database


def _vpc(stack: Shop) -> ec2.Vpc:
    subnets = [ec2.SubnetConfiguration(name="Database", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED)]
    if stack.public:
        subnets = [ec2.SubnetConfiguration(name="Public", subnet_type=ec2.SubnetType.PUBLIC)]
    return ec2.Vpc(
        stack,
        "Vpc",
        max_azs=2,
        nat_gateways=0,
        subnet_configuration=subnets,
        # Where the answers to orders are kept; these two cost nothing.
        gateway_endpoints={
            "DynamoDb": ec2.GatewayVpcEndpointOptions(service=ec2.GatewayVpcEndpointAwsService.DYNAMODB),
            "S3": ec2.GatewayVpcEndpointOptions(service=ec2.GatewayVpcEndpointAwsService.S3),
        },
        flow_logs={"All": ec2.FlowLogOptions()},
        restrict_default_security_group=False,
    )


def _acknowledge(shop: Shop) -> None:
    Annotations.of(shop.migration).acknowledge_info("cdk-breakwater:master-user", "It changes the schema.")
    _acknowledge_rules(
        shop.shipping.function,
        "It calls a provider on the internet and needs nothing in the VPC; X-Ray knows no resources; its failures are "
        "kept by QuotaThrottledInvocation.",
        *_compliance("LambdaInsideVPC", "LambdaDLQ", "IAMNoInlinePolicy"),
        "Serverless-LambdaDLQ",
        "AwsSolutions-IAM5[Resource::*]",
        "AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole]",
    )
    _acknowledge_rules(
        shop.vpc,
        "CDK writes a flow log's grant as an inline policy; CloudWatch Logs encrypts with a key of its own; nothing is "
        "in the default security group.",
        *_compliance("IAMNoInlinePolicy", "CloudWatchLogGroupEncrypted", "VPCDefaultSecurityGroupClosed"),
    )
    _acknowledge_rules(
        shop.database,
        "Backups are kept for 7 days; an AWS Backup plan is the company's, not the shop's.",
        *_compliance("RDSInBackupPlan"),
    )
    _acknowledge_rules(
        shop.database,
        "The managed policy that RDS prescribes for enhanced monitoring.",
        "AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole]",
    )
    if shop.public:
        _acknowledge_rules(
            shop.vpc,
            "The public variant: the database answers from public subnets.",
            *_compliance("VPCSubnetAutoAssignPublicIpDisabled", "VPCNoUnrestrictedRouteToIGW"),
        )
        _acknowledge_rules(
            shop.database,
            "Rotation runs in the VPC, and this one has no way to Secrets Manager: rotate by hand.",
            "AwsSolutions-SMG4",
            *_compliance("SecretsManagerRotationEnabled"),
        )
    else:
        _acknowledge_rules(
            shop.database,
            "The rotation function alone comes in here, by a port that the rule cannot read.",
            *_compliance("EC2RestrictedCommonPorts", "EC2RestrictedSSH"),
        )


def _compliance(*rules: str) -> list[str]:
    return [f"{pack}-{rule}" for pack in ("HIPAA.Security", "NIST.800.53.R5", "PCI.DSS.321") for rule in rules]


def _acknowledge_rules(construct: IConstruct, reason: str, *rules: str) -> None:
    Validations.of(construct).acknowledge(*(Acknowledgment(id=rule, reason=reason) for rule in rules))


def add_nag_packs(app: cdk.App) -> None:
    """Let five packs of cdk-nag look at every template; a finding fails the synth."""
    for pack in (
        cdk_nag.AwsSolutionsChecks,
        cdk_nag.ServerlessChecks,
        cdk_nag.HIPAASecurityChecks,
        cdk_nag.NIST80053R5Checks,
        cdk_nag.PCIDSS321Checks,
    ):
        Validations.of(app).add_plugins(cast("IPolicyValidationPlugin", pack(app)))


def main() -> None:
    """Synthesize the shop."""
    app = cdk.App()
    Shop(app, "Shop", public=app.node.try_get_context("public") in (True, "true"))
    add_nag_packs(app)
    Validations.of(app).add_plugins(cast("IPolicyValidationPlugin", DownstreamChecks()))
    app.synth()


if __name__ == "__main__":
    main()
