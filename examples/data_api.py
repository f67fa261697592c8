"""An Aurora cluster of another app, through its Data API: no VPC, no connection held."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_rds as rds
from aws_cdk import aws_secretsmanager as secretsmanager

from cdk_breakwater import DataApiFunction

app = cdk.App()
stack = cdk.Stack(app, "Reports")

# A cluster of this app needs nothing but itself: its Data API is turned on.
cluster = rds.DatabaseCluster.from_database_cluster_attributes(
    stack,
    "Cluster",
    cluster_identifier="shop",
    engine=rds.DatabaseClusterEngine.aurora_postgres(version=rds.AuroraPostgresEngineVersion.VER_17_6),
    secret=secretsmanager.Secret.from_secret_name_v2(stack, "Secret", "shop/aurora"),
    data_api_enabled=True,
)
DataApiFunction(
    stack,
    "Report",
    cluster=cluster,
    runtime=lambda_.Runtime.PYTHON_3_14,
    handler="index.handler",
    environment={"BREAKWATER_DATABASE": "shop"},  # known by itself for a cluster of this app
    code=lambda_.Code.from_inline(
        "import breakwater_runtime as breakwater\n\n\n"
        "def handler(event, context):\n"
        "    statement = 'SELECT count(*) AS orders FROM orders WHERE day = :day'\n"
        "    return breakwater.data_api().execute(statement, {'day': event['day']}, context)\n"
    ),
)

app.synth()
