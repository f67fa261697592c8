"""What the services besides RDS allow, and how a stack's own clusters and caches become downstreams."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_docdb as docdb
from aws_cdk import aws_dsql as dsql
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_elasticache as elasticache
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk.assertions import Annotations, Match, Template

from cdk_breakwater import (
    BreakwaterError,
    ConnectionBudget,
    DatabaseCredentials,
    Downstream,
    PublicSslDatabaseFunction,
    VpcDatabaseFunction,
)
from cdk_breakwater.limits.engines import DatabaseEngine as Engine
from cdk_breakwater.limits.max_connections import MaxConnections, UnknownMaxConnections
from cdk_breakwater.limits.service_limits import for_atlas_tier, for_cache_node, for_documentdb_serverless, for_engine


def test_engines_with_one_limit() -> None:
    assert for_engine(Engine.AURORA_DSQL) == MaxConnections(10_000, "Aurora DSQL's limit")
    assert for_engine(Engine.VALKEY) == for_engine(Engine.REDIS) == MaxConnections(65_000, "ElastiCache's limit")
    with pytest.raises(UnknownMaxConnections, match="mysql depend on its size"):
        for_engine(Engine.MYSQL)


@pytest.mark.parametrize(
    ("node_type", "limit"),
    [("cache.t4g.micro", 20_000), ("cache.t3.small", 46_000), ("cache.t4g.small", 65_000), ("cache.r7g.large", 65_000)],
)
def test_the_smallest_nodes_of_elasticache_have_less(node_type: str, limit: int) -> None:
    assert for_cache_node(node_type).value == limit


@pytest.mark.parametrize(
    ("tier", "limit"),
    [
        ("M0", 500), ("M10", 1500), ("M20", 3000), ("M30", 3000), ("M40", 6000), ("M40 low-CPU", 4000),
        ("M50", 16_000), ("M60", 32_000), ("M80", 96_000), ("M140", 96_000), ("M200", 128_000), ("M700", 128_000),
    ],
)  # fmt: skip
def test_atlas_by_tier(tier: str, limit: int) -> None:
    assert for_atlas_tier(tier) == MaxConnections(limit, f"Atlas's limit for {tier}")


@pytest.mark.parametrize("tier", ["m30", "M31", "R40", ""])
def test_an_unknown_tier(tier: str) -> None:
    with pytest.raises(UnknownMaxConnections, match=f"no tier '{tier}'. It has M0, M10, .*pass max_connections=…"):
        for_atlas_tier(tier)


@pytest.mark.parametrize(
    ("dcu", "limit"),
    [
        (0.5, 39), (1, 79), (1.5, 124), (2, 173), (4, 416), (8, 1071), (15.5, 1071), (16, 2709), (32, 4500),
        (64, 4500), (128, 4500), (256, 4500),
    ],
)  # fmt: skip
def test_documentdb_serverless_by_its_minimum(dcu: float, limit: int) -> None:
    assert for_documentdb_serverless(dcu).value == limit


@pytest.mark.parametrize("dcu", [0, 0.4, 257, float("nan")])
def test_documentdb_serverless_beyond_the_table(dcu: float) -> None:
    with pytest.raises(UnknownMaxConnections, match=r"between 0\.5 and 256 DCU"):
        for_documentdb_serverless(dcu)


class TestEndpoint:
    def test_atlas(self, stack: cdk.Stack) -> None:
        atlas = Downstream.endpoint(stack, "Atlas", host="c0.example.net", engine=Engine.MONGODB, atlas_tier="M30")
        budget = ConnectionBudget.of(atlas)
        assert (budget.max_connections, budget.basis) == (3000, "Atlas's limit for M30")
        assert (budget.reserved_connections, budget.shared_connections) == (10, 2392)

    def test_a_seed_list_of_atlas_and_no_other_url(self, stack: cdk.Stack, vpc: ec2.Vpc, code: dict[str, Any]) -> None:
        host = "mongodb+srv://cluster0.abcde.mongodb.net"
        atlas = Downstream.endpoint(
            stack,
            "Atlas",
            host=host,
            engine=Engine.MONGODB,
            atlas_tier="M30",
            secret=secretsmanager.Secret(stack, "Login"),
        )
        function = VpcDatabaseFunction(stack, "Orders", database=atlas, vpc=vpc, **code)
        assert function.downstream.host == host
        for engine, url in (
            (Engine.MONGODB, "mongodb+srv://app:hunter2@cluster0.abcde.mongodb.net"),
            (Engine.MONGODB, f"{host}/?retryWrites=false"),
            (Engine.MONGODB, "mongodb://one.example.net"),
            (Engine.POSTGRESQL, "postgresql://app:hunter2@db.example.net/shop"),
        ):
            with pytest.raises(BreakwaterError, match=r"Stack/B: host is the URL .*Give (only )?the name") as refused:
                Downstream.endpoint(stack, "B", host=url, engine=engine, max_connections=50)
            assert "hunter2" not in str(refused.value)

    @pytest.mark.parametrize(
        ("host", "shown"),
        [
            ("db.example.net:5432", "'db.example.net:5432'"),
            (" db.example.net", "' db.example.net'"),
            ("app:hunter2@db.example.net", "'db.example.net'"),
            ("arn:aws:rds:eu-central-1:123456789012:db:shop", "'arn:aws:rds"),
            ("/var/run/postgresql", "'/var/run/postgresql'"),
        ],
    )
    def test_what_is_no_host_is_refused(self, stack: cdk.Stack, host: str, shown: str) -> None:
        with pytest.raises(BreakwaterError, match=rf"Stack/B: host is {shown}.*Give only the name") as refused:
            Downstream.endpoint(stack, "B", host=host, engine=Engine.POSTGRESQL, max_connections=50)
        assert "hunter2" not in str(refused.value)

    @pytest.mark.parametrize("host", ["10.0.0.5", "fd00::1", "db.example.net.", "my_db", "dummy-value-for-/shop/host"])
    def test_a_name_or_an_address_is_taken(self, stack: cdk.Stack, host: str) -> None:
        assert Downstream.endpoint(stack, "B", host=host, engine=Engine.MYSQL, max_connections=50).host == host

    def test_dsql_and_caches_need_no_number(self, stack: cdk.Stack) -> None:
        limits = [
            Downstream.endpoint(stack, engine.value, host="db.example.net", engine=engine).max_connections().value
            for engine in (Engine.AURORA_DSQL, Engine.REDIS, Engine.VALKEY)
        ]
        assert limits == [10_000, 65_000, 65_000]

    def test_others_do(self, stack: cdk.Stack) -> None:
        with pytest.raises(BreakwaterError, match=r"Stack/A: .*mongodb depend on its size.*or atlas_tier=\"M30\""):
            Downstream.endpoint(stack, "A", host="c0.example.net", engine=Engine.MONGODB)
        with pytest.raises(BreakwaterError, match=r"Stack/B: .*no tier 'M31'"):
            Downstream.endpoint(stack, "B", host="c0.example.net", engine=Engine.MONGODB, atlas_tier="M31")
        with pytest.raises(BreakwaterError, match=r"Stack/C: both max_connections=5 and atlas_tier='M30'"):
            Downstream.endpoint(
                stack, "C", host="c0.example.net", engine=Engine.MONGODB, atlas_tier="M30", max_connections=5
            )


class TestDocumentDb:
    def test_serverless(self, stack: cdk.Stack, vpc: ec2.Vpc, code: dict[str, Any]) -> None:
        cluster = docdb.DatabaseCluster(
            stack,
            "Documents",
            vpc=vpc,
            master_user=docdb.Login(username="app"),
            engine_version="5.0.0",
            serverless_v2_scaling_configuration=docdb.ServerlessV2ScalingConfiguration(min_capacity=1, max_capacity=8),
        )
        budget = ConnectionBudget.of(cluster)
        with pytest.raises(BreakwaterError, match="the cluster has no instance in this app"):
            budget.found()
        docdb.DatabaseInstance(stack, "Instance", cluster=cluster, instance_type=ec2.InstanceType("serverless"))
        VpcDatabaseFunction(stack, "Reader", database=cluster, vpc=vpc, concurrency=5, **code)
        VpcDatabaseFunction(stack, "Writer", database=cluster, vpc=vpc, **code)
        basis = "DocumentDB's table of active connections for a minimum of 1 DCU"
        assert (budget.max_connections, budget.basis) == (79, basis)
        template = Template.from_stack(stack)
        # PyMongo holds two connections: 63 are 31 environments, 5 of them the reader's.
        template.has_resource_properties(
            "AWS::Lambda::Function",
            {
                "ReservedConcurrentExecutions": 26,
                "Environment": {
                    "Variables": Match.object_like(
                        {
                            "BREAKWATER_ENGINE": "mongodb",
                            "BREAKWATER_TLS_CA": "bundled",
                            "BREAKWATER_PORT": "27017",
                        }
                    )
                },
            },
        )
        template.resource_count_is("AWS::EC2::SecurityGroupIngress", 2)

    def test_a_class_wants_the_number(self, stack: cdk.Stack, vpc: ec2.Vpc) -> None:
        cluster = docdb.DatabaseCluster(
            stack,
            "Documents",
            vpc=vpc,
            master_user=docdb.Login(username="app"),
            instance_type=ec2.InstanceType("r6g.large"),
        )
        with pytest.raises(BreakwaterError, match=r"DocumentDB's connections follow from the instance class.*Quotas"):
            ConnectionBudget.of(cluster).max_connections  # noqa: B018 -- the property raises
        assert ConnectionBudget.of(cluster, max_connections=1700).max_connections == 1700

    def test_an_imported_one_as_well(self, stack: cdk.Stack) -> None:
        cluster = docdb.DatabaseCluster.from_database_cluster_attributes(
            stack, "Imported", cluster_identifier="docs", cluster_endpoint_address="d.example.net", port=27017
        )
        downstream = Downstream.of(cluster)
        assert (downstream.engine, downstream.host) == (Engine.DOCUMENTDB, "d.example.net")
        with pytest.raises(UnknownMaxConnections, match="it is imported"):
            downstream.max_connections()

    def test_a_cluster_of_another_kind_is_not_taken_for_one(self, stack: cdk.Stack) -> None:
        class Graph(cdk.Resource):
            cluster_endpoint: Any = None

        graph = Graph(stack, "Graph")
        cdk.CfnResource(graph, "Resource", type="AWS::Neptune::DBCluster")
        with pytest.raises(BreakwaterError, match="Stack/Graph: Graph of AWS::Neptune::DBCluster is not a downstream"):
            Downstream.of(graph)


class TestDsql:
    def test_a_function_outside_any_vpc(self, stack: cdk.Stack, code: dict[str, Any]) -> None:
        cluster = dsql.CfnCluster(stack, "Cluster")
        PublicSslDatabaseFunction(
            stack, "Orders", database=cluster, credentials=DatabaseCredentials.iam("orders"), concurrency=200, **code
        )
        budget = ConnectionBudget.of(cluster)
        assert (budget.max_connections, budget.basis) == (10_000, "Aurora DSQL's limit")
        template = Template.from_stack(stack)
        (function,) = template.find_resources("AWS::Lambda::Function").values()
        variables = function["Properties"]["Environment"]["Variables"]
        assert variables["BREAKWATER_HOST"] == {"Fn::GetAtt": ["Cluster", "Endpoint"]}
        expected = {"ENGINE": "postgresql", "AUTH": "iam", "USER": "orders", "DATABASE": "postgres", "PROXY": "1"}
        expected |= {"PORT": "5432", "TLS_CA": "system"}
        assert {name: variables[f"BREAKWATER_{name}"] for name in expected} == expected
        assert function["Properties"]["ReservedConcurrentExecutions"] == 200

    @pytest.mark.parametrize(("user", "action"), [("orders", "dsql:DbConnect"), ("admin", "dsql:DbConnectAdmin")])
    def test_connects_to_exactly_this_cluster(
        self, stack: cdk.Stack, code: dict[str, Any], user: str, action: str
    ) -> None:
        function = lambda_.Function(stack, "Function", **code)
        Downstream.of(dsql.CfnCluster(stack, "Cluster")).grant_connect(function, user)
        Template.from_stack(stack).has_resource_properties(
            "AWS::IAM::Policy",
            {
                "PolicyDocument": {
                    "Statement": [
                        {
                            "Action": action,
                            "Effect": "Allow",
                            "Resource": {"Fn::GetAtt": ["Cluster", "ResourceArn"]},
                        }
                    ]
                }
            },
        )

    def test_wants_iam(self, stack: cdk.Stack, code: dict[str, Any]) -> None:
        with pytest.raises(BreakwaterError, match=r"Stack/Cluster has no secret, .*DatabaseCredentials\.iam\(user\)"):
            PublicSslDatabaseFunction(stack, "Orders", database=dsql.CfnCluster(stack, "Cluster"), **code)


class TestElastiCache:
    def group(self, stack: cdk.Stack, **options: Any) -> elasticache.CfnReplicationGroup:
        return elasticache.CfnReplicationGroup(
            stack,
            "Cache",
            **{
                "replication_group_description": "sessions",
                "engine": "valkey",
                "cache_node_type": "cache.t4g.micro",
                "transit_encryption_enabled": True,
                "num_cache_clusters": 1,
                **options,
            },
        )

    def test_a_replication_group(self, stack: cdk.Stack, vpc: ec2.Vpc, code: dict[str, Any]) -> None:
        own = ec2.SecurityGroup(stack, "Own", vpc=vpc)
        cache = self.group(stack, security_group_ids=[own.security_group_id])
        VpcDatabaseFunction(stack, "Sessions", database=cache, vpc=vpc, concurrency=40, **code)
        budget = ConnectionBudget.of(cache)
        assert (budget.max_connections, budget.basis) == (20_000, "ElastiCache's limit for cache.t4g.micro")
        template = Template.from_stack(stack)
        (function,) = template.find_resources("AWS::Lambda::Function").values()
        variables = function["Properties"]["Environment"]["Variables"]
        assert variables["BREAKWATER_HOST"] == {"Fn::GetAtt": ["Cache", "PrimaryEndPoint.Address"]}
        assert (variables["BREAKWATER_ENGINE"], variables["BREAKWATER_TLS_CA"]) == ("valkey", "system")
        assert not {"BREAKWATER_AUTH", "BREAKWATER_USER", "BREAKWATER_SECRET_ARN"} & variables.keys()
        template.has_resource_properties(
            "AWS::EC2::SecurityGroupIngress",
            {"FromPort": 6379, "GroupId": {"Fn::GetAtt": [Match.string_like_regexp("^Own"), "GroupId"]}},
        )

    def test_a_serverless_cache(self, stack: cdk.Stack) -> None:
        cache = elasticache.CfnServerlessCache(stack, "Cache", engine="redis", serverless_cache_name="sessions")
        assert ConnectionBudget.of(cache).max_connections == 65_000
        assert ConnectionBudget.of(cache) is ConnectionBudget.of(cache)
        Annotations.from_stack(stack).has_info("/Stack/Cache", Match.string_like_regexp("mode.*same hash slot"))

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"engine": "memcached"}, "its engine is 'memcached'. Functions connect to redis and valkey"),
            ({"transit_encryption_enabled": None}, "transit_encryption_enabled is None, .* only over TLS"),
            ({"num_node_groups": 3}, "it has 3 node groups, .* Use one node group"),
        ],
    )
    def test_refused(self, stack: cdk.Stack, options: dict[str, Any], message: str) -> None:
        with pytest.raises(BreakwaterError, match=f"Stack/Cache: {message}"):
            Downstream.of(self.group(stack, **options))

    def test_a_cache_cluster_is_none(self, stack: cdk.Stack) -> None:
        cluster = elasticache.CfnCacheCluster(
            stack, "Cache", engine="redis", cache_node_type="cache.t4g.micro", num_cache_nodes=1
        )
        with pytest.raises(BreakwaterError, match=r"Stack/Cache: CfnCacheCluster is not.*no TLS.*num_cache_clusters=1"):
            Downstream.of(cluster)

    def test_has_no_certificate_of_rds(self, stack: cdk.Stack) -> None:
        cache = self.group(stack)
        for database in (cache, Downstream.of(cache)):
            with pytest.raises(
                BreakwaterError, match=r"Stack/Cache: certificate_authority='a\.pem' is given, and it is not"
            ):
                Downstream.of(database, certificate_authority="a.pem")

    def test_a_node_type_that_is_a_token(self, stack: cdk.Stack) -> None:
        node_type = cdk.CfnParameter(stack, "NodeType").value_as_string
        with pytest.raises(UnknownMaxConnections, match="the smallest nodes take fewer"):
            Downstream.of(self.group(stack, cache_node_type=node_type)).max_connections()
