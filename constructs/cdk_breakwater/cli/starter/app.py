"""Orders come in over HTTP, wait in a queue, and are written to a database, no faster than it takes connections."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import Duration
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_rds as rds
from constructs import Construct

from cdk_breakwater import (
    DatabaseCredentials,
    DecoupledInvocation,
    DownstreamChecks,
    InvocationSource,
    VpcDatabaseFunction,
)


class Orders(cdk.Stack):
    """An API, a queue, a function and a database: every limit between them follows from max_connections."""

    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        vpc = ec2.Vpc(
            self,
            "Vpc",
            max_azs=2,
            nat_gateways=1,
            # both cost nothing, and what goes to S3 and DynamoDB needs no NAT gateway
            gateway_endpoints={
                "S3": ec2.GatewayVpcEndpointOptions(service=ec2.GatewayVpcEndpointAwsService.S3),
                "DynamoDb": ec2.GatewayVpcEndpointOptions(service=ec2.GatewayVpcEndpointAwsService.DYNAMODB),
            },
        )
        database = rds.DatabaseInstance(
            self,
            "Database",
            engine=rds.DatabaseInstanceEngine.postgres(version=rds.PostgresEngineVersion.VER_17),
            instance_type=ec2.InstanceType("t4g.small"),
            vpc=vpc,
            parameters={"max_connections": "80"},
            database_name="orders",
            storage_encrypted=True,
            deletion_protection=True,
        )
        writer = VpcDatabaseFunction(
            self,
            "Writer",
            database=database,
            vpc=vpc,
            allow_all_outbound=False,  # it calls its database and AWS, and nothing else
            # a login of its own, made at deployment, which may do this and nothing else
            credentials=DatabaseCredentials.user("orders", grants=["USAGE ON SCHEMA public"]),
            runtime=lambda_.Runtime.PYTHON_3_14,
            handler="writer.handler",
            code=lambda_.Code.from_asset("src"),
        )
        source = InvocationSource.sqs(expected_duration=Duration.millis(200))
        intake = DecoupledInvocation(self, "Intake", function=writer, source=source)
        door = intake.add_front_door(
            "Door",
            path="orders",
            request_schema=apigateway.JsonSchema(
                type=apigateway.JsonSchemaType.OBJECT,
                required=["article"],
                properties={"article": apigateway.JsonSchema(type=apigateway.JsonSchemaType.STRING)},
            ),
        )
        cdk.CfnOutput(self, "OrdersUrl", value=door.url)


def main() -> None:
    """Synthesize the app, and check it with the rules of `breakwater check`."""
    app = cdk.App()
    Orders(app, "Orders")
    cdk.Validations.of(app).add_plugins(DownstreamChecks())
    app.synth()


if __name__ == "__main__":
    main()
