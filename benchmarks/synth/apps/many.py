"""Many functions on one database, 50 to a stack. Takes their number as its argument."""

from __future__ import annotations

import sys

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_rds as rds

from cdk_breakwater import VpcDatabaseFunction

# A function with its role, policy, log group, security group and rules makes 7 resources, and a stack has at most 500.
# Source: AWS CloudFormation User Guide, "Understand CloudFormation quotas".
FUNCTIONS_PER_STACK = 50

app = cdk.App(context={"account_concurrency": 10_000})
network = cdk.Stack(app, "Network")
vpc = ec2.Vpc(network, "Vpc", max_azs=2)
database = rds.DatabaseInstance(
    network,
    "Database",
    engine=rds.DatabaseInstanceEngine.postgres(version=rds.PostgresEngineVersion.VER_17),
    vpc=vpc,
    storage_encrypted=True,
    parameters={"max_connections": "5000"},
)
number_of_functions = int(sys.argv[1])
stacks = [cdk.Stack(app, f"Functions{first}") for first in range(0, number_of_functions, FUNCTIONS_PER_STACK)]
for number in range(number_of_functions):
    VpcDatabaseFunction(
        stacks[number // FUNCTIONS_PER_STACK],
        f"Function{number}",
        database=database,
        vpc=vpc,
        code=lambda_.Code.from_inline("def handler(event, context): ..."),
        handler="index.handler",
        runtime=lambda_.Runtime.PYTHON_3_14,
    )
app.synth()
