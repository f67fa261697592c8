"""RDS Proxy before a database: who shares it, what it is set to, and that a deployment finds an order."""

from __future__ import annotations

import re
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_rds as rds
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk.assertions import Annotations, Match, Template

from cdk_breakwater import (
    BreakwaterError,
    ConnectionBudget,
    DatabaseCredentials,
    DatabaseEngine,
    Downstream,
    DownstreamChecks,
    PublicSslDatabaseFunction,
    VpcDatabaseFunction,
)
from tests.unit.databases import POSTGRESQL, imported_instance

ENV = cdk.Environment(account="123456789012", region="eu-central-1")
AURORA = rds.DatabaseClusterEngine.aurora_mysql(version=rds.AuroraMysqlEngineVersion.VER_3_08_0)
LARGE = ec2.InstanceType("r6g.large")  # 1,000 connections as Aurora MySQL


def variables(template: Template, prefix: str) -> dict[str, Any]:
    functions = template.find_resources("AWS::Lambda::Function")
    (found,) = [body for name, body in functions.items() if re.fullmatch(f"{prefix}[0-9A-F]{{8}}", name)]
    return found["Properties"]["Environment"]["Variables"]


def order(template: Template) -> list[str]:
    """An order in which CloudFormation can make the resources; fails on a cycle or on a reference to nothing."""
    resources = template.to_json()["Resources"]
    needs = {name: referred(body) & resources.keys() for name, body in resources.items()}
    made: list[str] = []
    while ready := [name for name, needed in needs.items() if name not in made and needed <= {*made}]:
        made += ready
    assert sorted(made) == sorted(resources), f"a cycle among {sorted(resources.keys() - {*made})}"
    return made


def referred(value: Any) -> set[str]:
    if isinstance(value, list):
        return set().union(*map(referred, value))
    if not isinstance(value, dict):
        return set()
    found = {value["Ref"]} if isinstance(value.get("Ref"), str) else set()
    found |= {value["Fn::GetAtt"][0]} if isinstance(value.get("Fn::GetAtt"), list) else set()
    depends = value.get("DependsOn") or []
    found |= {depends} if isinstance(depends, str) else {name for name in depends if isinstance(name, str)}
    return found.union(*map(referred, value.values()))


def aurora(scope: cdk.Stack, vpc: ec2.IVpc, *, readers: int = 0) -> rds.DatabaseCluster:
    return rds.DatabaseCluster(
        scope,
        "Cluster",
        engine=AURORA,
        vpc=vpc,
        writer=rds.ClusterInstance.provisioned("Writer", instance_type=LARGE),
        readers=[rds.ClusterInstance.provisioned(f"Reader{number}", instance_type=LARGE) for number in range(readers)],
    )


def l2_proxy(scope: cdk.Stack, id: str, database: rds.DatabaseInstance, vpc: ec2.IVpc, **options: Any) -> Any:
    return rds.DatabaseProxy(
        scope,
        id,
        proxy_target=rds.ProxyTarget.from_instance(database),
        vpc=vpc,
        secrets=[database.secret],
        db_proxy_name=f"mine-{id.lower()}",
        **options,
    )


def imported_proxy(stack: cdk.Stack) -> rds.IDatabaseProxy:
    return rds.DatabaseProxy.from_database_proxy_attributes(
        stack,
        "Imported",
        db_proxy_name="theirs",
        db_proxy_arn="arn:aws:rds:eu-central-1:123456789012:db-proxy:prx-1",
        endpoint="theirs.example.net",
        security_groups=[],
    )


class TestOneForAll:
    @pytest.fixture
    def template(
        self, stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any]
    ) -> Template:
        VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, proxy=True, **code)
        VpcDatabaseFunction(
            stack,
            "Reports",
            database=database,
            vpc=vpc,
            proxy=True,
            timeout=cdk.Duration.minutes(15),
            credentials=DatabaseCredentials.secret(secretsmanager.Secret(stack, "Other")),
            **code,
        )
        VpcDatabaseFunction(
            stack,
            "Audit",
            database=database,
            vpc=vpc,
            proxy=True,
            concurrency=7,
            credentials=DatabaseCredentials.iam("auditor"),
            **code,
        )
        VpcDatabaseFunction(stack, "Direct", database=database, vpc=vpc, **code)
        return Template.from_stack(stack)

    def test_all_of_it(self, template: Template) -> None:
        # One app for all of these, since each synth takes seconds.
        template.resource_count_is("AWS::RDS::DBProxy", 1)
        self.one_proxy_knows_every_login(template)
        self.timeouts_follow_from_the_functions(template)
        self.functions_connect_to_the_proxy(template)
        self.shares_are_of_the_pool_and_of_what_it_leaves(template)
        self.iam_on_both_sides(template)
        self.nobody_else_is_let_in(template)
        made = order(template)
        assert made.index("DatabaseB269D8BB") < made.index("DatabaseBreakwaterProxyProxyTargetGroupCF712E38")

    def one_proxy_knows_every_login(self, template: Template) -> None:
        secret = {"AuthScheme": "SECRETS", "IAMAuth": "DISABLED"}
        template.has_resource_properties(
            "AWS::RDS::DBProxy",
            {
                "Auth": [
                    {**secret, "SecretArn": {"Ref": "DatabaseSecretAttachmentE5D1B020"}},
                    {**secret, "SecretArn": {"Ref": Match.string_like_regexp("^Other")}},
                ],
                "DefaultAuthScheme": "IAM_AUTH",
                "RequireTLS": True,
                "EngineFamily": "POSTGRESQL",
            },
        )

    def timeouts_follow_from_the_functions(self, template: Template) -> None:
        template.has_resource_properties("AWS::RDS::DBProxy", {"IdleClientTimeout": 900})
        template.has_resource_properties(
            "AWS::RDS::DBProxyTargetGroup",
            {
                "ConnectionPoolConfigurationInfo": {
                    "ConnectionBorrowTimeout": 15,
                    "MaxConnectionsPercent": 70,
                    "SessionPinningFilters": Match.absent(),
                }
            },
        )

    def functions_connect_to_the_proxy(self, template: Template) -> None:
        settings = variables(template, "Orders")
        assert settings["BREAKWATER_HOST"] == {"Fn::GetAtt": ["DatabaseBreakwaterProxy0833689B", "Endpoint"]}
        assert settings["BREAKWATER_PORT"] == "5432"
        assert settings["BREAKWATER_PROXY"] == "1"
        assert settings["BREAKWATER_TLS_CA"] == "system"
        assert settings["BREAKWATER_MAX_CONNECTIONS"] == "78"
        direct = variables(template, "Direct")
        assert direct["BREAKWATER_HOST"] == {"Fn::GetAtt": ["DatabaseB269D8BB", "Endpoint.Address"]}
        assert "BREAKWATER_PROXY" not in direct

    def shares_are_of_the_pool_and_of_what_it_leaves(self, template: Template) -> None:
        reserved = {
            name[:-8]: body["Properties"].get("ReservedConcurrentExecutions")
            for name, body in template.find_resources("AWS::Lambda::Function").items()
        }
        # 70 % of 112 are 78, and 0.8 of them 62. The rest, less 12 of PostgreSQL's own, is 22, and 0.8 of it 17.
        assert reserved == {"Orders": 28, "Reports": 27, "Audit": 7, "Direct": 17}

    def iam_on_both_sides(self, template: Template) -> None:
        policies = template.find_resources("AWS::IAM::Policy")
        connecting = {
            name: statement["Resource"]
            for name, policy in policies.items()
            for statement in policy["Properties"]["PolicyDocument"]["Statement"]
            if statement["Action"] == "rds-db:connect"
        }
        assert len(connecting) == 2
        proxy, function = sorted(connecting)[::-1]
        assert "DatabaseBreakwaterProxyRole" in proxy
        assert "AuditRole" in function
        assert {"Fn::GetAtt": ["DatabaseB269D8BB", "DbiResourceId"]} in connecting[proxy]["Fn::Join"][1]
        assert "/auditor" in connecting[proxy]["Fn::Join"][1]
        assert "DatabaseBreakwaterProxy0833689B" in str(connecting[function])
        template.has_resource_properties("AWS::RDS::DBInstance", {"EnableIAMDatabaseAuthentication": True})

    def nobody_else_is_let_in(self, template: Template) -> None:
        rules = template.find_resources("AWS::EC2::SecurityGroupIngress").values()
        pairs = {
            tuple(rule["Properties"][side]["Fn::GetAtt"][0][:-8] for side in ("SourceSecurityGroupId", "GroupId"))
            for rule in rules
        }
        proxy, server = "DatabaseBreakwaterProxySecurityGroup", "DatabaseSecurityGroup"
        functions = {(f"{name}SecurityGroup", proxy) for name in ("Orders", "Reports", "Audit")}
        assert pairs == {*functions, (proxy, server), ("DirectSecurityGroup", server)}


@pytest.mark.parametrize("context", [{"account_concurrency": 3000}])
def test_a_cluster_that_would_pause_never_does(stack: cdk.Stack, vpc: ec2.Vpc, code: dict[str, Any]) -> None:
    for name, least in (("Paused", 0), ("Awake", 0.5)):
        cluster = rds.DatabaseCluster(
            stack,
            name,
            engine=AURORA,
            vpc=vpc,
            writer=rds.ClusterInstance.serverless_v2("Writer"),
            serverless_v2_min_capacity=least,
        )
        VpcDatabaseFunction(stack, f"{name}Orders", database=cluster, vpc=vpc, proxy=True, **code)
    found = Annotations.from_stack(stack)
    found.has_info("/Stack/Paused", Match.string_like_regexp("minimum is 0 ACU.*never pauses"))
    assert len(found.find_info("*", Match.string_like_regexp("never pauses"))) == 1


def test_a_cluster_has_its_writer_before_the_proxy_looks_for_it(
    stack: cdk.Stack, vpc: ec2.Vpc, code: dict[str, Any]
) -> None:
    cluster = aurora(stack, vpc, readers=1)
    VpcDatabaseFunction(stack, "Orders", database=cluster, vpc=vpc, proxy=True, **code)
    VpcDatabaseFunction(stack, "Reports", database=Downstream.readers(cluster), vpc=vpc, proxy=True, **code)
    template = Template.from_stack(stack)
    made = order(template)
    (group,) = template.find_resources("AWS::RDS::DBProxyTargetGroup")
    (endpoint,) = template.find_resources("AWS::RDS::DBProxyEndpoint")
    instances = template.find_resources("AWS::RDS::DBInstance")
    assert len(instances) == 2
    assert max(made.index(name) for name in instances) < made.index(group) < made.index(endpoint)
    # A queue may invoke it as soon as it exists.
    (orders,) = [name for name in made if re.fullmatch("Orders[0-9A-F]{8}", name)]
    assert made.index(group) < made.index(orders)
    assert group in template.to_json()["Resources"][orders]["DependsOn"]
    template.has_resource_properties("AWS::RDS::DBProxyEndpoint", {"TargetRole": "READ_ONLY"})
    assert variables(template, "Reports")["BREAKWATER_HOST"] == {"Fn::GetAtt": [endpoint, "Endpoint"]}
    assert variables(template, "Reports")["BREAKWATER_MAX_CONNECTIONS"] == "700"
    assert variables(template, "Orders")["BREAKWATER_PORT"] == "3306"


class TestStacks:
    def test_a_database_of_another_stack(self, app: cdk.App, code: dict[str, Any]) -> None:
        data = cdk.Stack(app, "Data", env=ENV)
        vpc = ec2.Vpc(data, "Vpc", max_azs=2)
        database = rds.DatabaseInstance(data, "Database", engine=POSTGRESQL, vpc=vpc)
        compute = [cdk.Stack(app, name, env=ENV) for name in ("One", "Two")]
        for stack in compute:
            VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, proxy=True, **code)
            VpcDatabaseFunction(
                stack,
                "Audit",
                database=database,
                vpc=vpc,
                proxy=True,
                credentials=DatabaseCredentials.iam("auditor"),
                **code,
            )
        app.synth()  # a cycle between stacks would fail here
        assert data.dependencies == []
        for stack in (data, *compute):
            order(Template.from_stack(stack))
        Template.from_stack(data).resource_count_is("AWS::RDS::DBProxy", 1)
        Template.from_stack(compute[0]).resource_count_is("AWS::RDS::DBProxy", 0)

    def test_a_secret_of_the_functions_stack_would_be_a_cycle(self, app: cdk.App, code: dict[str, Any]) -> None:
        data, compute = (cdk.Stack(app, name, env=ENV) for name in ("Data", "Compute"))
        vpc = ec2.Vpc(data, "Vpc", max_azs=2)
        database = rds.DatabaseInstance(data, "Database", engine=POSTGRESQL, vpc=vpc)
        secret = secretsmanager.Secret(compute, "Secret")
        with pytest.raises(
            BreakwaterError,
            match=r"Compute/Orders: the proxy of Data/Database is in the stack Data and would need Compute/Secret of "
            r"the stack Compute, which needs the proxy\. Make the secret in the database's stack, log in with",
        ):
            VpcDatabaseFunction(
                compute,
                "Orders",
                database=database,
                vpc=vpc,
                proxy=True,
                credentials=DatabaseCredentials.secret(secret),
                **code,
            )

    def test_a_secret_of_a_third_stack_and_an_imported_one(self, app: cdk.App, code: dict[str, Any]) -> None:
        secrets, data, compute = (cdk.Stack(app, name, env=ENV) for name in ("Secrets", "Data", "Compute"))
        vpc = ec2.Vpc(data, "Vpc", max_azs=2)
        database = rds.DatabaseInstance(data, "Database", engine=POSTGRESQL, vpc=vpc)
        logins = {
            "Third": secretsmanager.Secret(secrets, "Secret"),
            "Imported": secretsmanager.Secret.from_secret_name_v2(compute, "Imported", "shop/orders"),
        }
        for name, secret in logins.items():
            VpcDatabaseFunction(
                compute,
                f"{name}Orders",
                database=database,
                vpc=vpc,
                proxy=True,
                credentials=DatabaseCredentials.secret(secret),
                **code,
            )
        app.synth()
        assert [stack.stack_name for stack in data.dependencies] == ["Secrets"]

    def test_a_proxy_of_the_functions_stack(self, app: cdk.App, code: dict[str, Any]) -> None:
        data, compute = (cdk.Stack(app, name, env=ENV) for name in ("Data", "Compute"))
        vpc = ec2.Vpc(data, "Vpc", max_azs=2)
        group = ec2.SecurityGroup(data, "Group", vpc=vpc)
        database = rds.DatabaseInstance(data, "Database", engine=POSTGRESQL, vpc=vpc, security_groups=[group])
        seen = rds.DatabaseInstance.from_database_instance_attributes(
            compute,
            "Seen",
            instance_identifier=database.instance_identifier,
            instance_endpoint_address=database.db_instance_endpoint_address,
            port=5432,
            engine=POSTGRESQL,
            security_groups=[ec2.SecurityGroup.from_security_group_id(compute, "Group", group.security_group_id)],
        )
        proxy = rds.DatabaseProxy(
            compute, "Proxy", proxy_target=rds.ProxyTarget.from_instance(seen), vpc=vpc, secrets=[database.secret],
            max_connections_percent=50, db_proxy_name="mine",
        )  # fmt: skip
        VpcDatabaseFunction(compute, "Orders", database=database, vpc=vpc, proxy=proxy, **code)
        app.synth()
        assert [stack.stack_name for stack in compute.dependencies] == ["Data"]

    def test_nested_stacks(self, app: cdk.App, code: dict[str, Any]) -> None:
        root = cdk.Stack(app, "Root")
        data = cdk.NestedStack(root, "Data")
        vpc = ec2.Vpc(data, "Vpc", max_azs=2)
        database = rds.DatabaseInstance(data, "Database", engine=POSTGRESQL, vpc=vpc)
        compute = cdk.NestedStack(root, "Compute")
        VpcDatabaseFunction(compute, "Orders", database=database, vpc=vpc, proxy=True, **code)
        app.synth()
        for stack in (root, data, compute):
            order(Template.from_stack(stack))

    def test_names_are_the_stacks_own(self, app: cdk.App, code: dict[str, Any]) -> None:
        stacks = [cdk.Stack(app, "One"), cdk.Stack(app, "Two"), cdk.Stack(app, "Three", stack_name="renamed")]
        stacks += [cdk.NestedStack(stack, "Data") for stack in stacks]
        for stack in stacks:
            vpc = ec2.Vpc(stack, "Vpc", max_azs=2)
            database = rds.DatabaseInstance(stack, "A-Database--With-A-Name" * 3, engine=POSTGRESQL, vpc=vpc)
            VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, proxy=True, concurrency=1, **code)
        proxies = [Template.from_stack(stack).find_resources("AWS::RDS::DBProxy") for stack in stacks]
        names = {proxy["Properties"]["DBProxyName"] for found in proxies for proxy in found.values()}
        assert len(names) == 6
        # Source: Amazon RDS API Reference, CreateDBProxy, DBProxyName.
        assert all(re.fullmatch(r"[a-zA-Z](?:-?[a-zA-Z0-9]+)*", name) and len(name) <= 63 for name in names)

    def test_a_database_that_two_stacks_import_has_one_proxy(self, app: cdk.App, code: dict[str, Any]) -> None:
        shared = cdk.Stack(app, "Shared", env=ENV)
        vpc = ec2.Vpc(shared, "Vpc", max_azs=2)
        stacks = [cdk.Stack(app, name, env=ENV) for name in ("One", "Two")]
        for stack in stacks:
            database = imported_instance(stack, instance_resource_id="db-1")
            ConnectionBudget.of(database, max_connections=112) if stack is stacks[0] else None
            VpcDatabaseFunction(
                stack,
                "Orders",
                database=database,
                vpc=vpc,
                proxy=True,
                credentials=DatabaseCredentials.iam("app"),
                **code,
            )
        app.synth()
        Template.from_stack(stacks[0]).resource_count_is("AWS::RDS::DBProxy", 1)
        Template.from_stack(stacks[1]).resource_count_is("AWS::RDS::DBProxy", 0)


@pytest.mark.parametrize("context", [{"account_concurrency": 3000}])
def test_the_checks_find_nothing(
    app: cdk.App, stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any]
) -> None:
    cluster = aurora(stack, vpc, readers=1)
    VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, proxy=True, **code)
    VpcDatabaseFunction(stack, "Direct", database=database, vpc=vpc, **code)
    reports = VpcDatabaseFunction(stack, "Reports", database=Downstream.readers(cluster), vpc=vpc, proxy=True, **code)
    reports.add_database("shop", database=database, proxy=True)
    cdk.Validations.of(app).add_plugins(DownstreamChecks())
    app.synth()


def test_every_other_prop_of_the_l2_passes_through(
    stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any]
) -> None:
    Downstream.proxy(
        database,
        init_query="SET TIME ZONE 'UTC'",
        session_pinning_filters=[rds.SessionPinningFilter.EXCLUDE_VARIABLE_SETS],
        borrow_timeout=cdk.Duration.seconds(3),
        client_password_auth_type=rds.ClientPasswordAuthType.POSTGRES_SCRAM_SHA_256,
        db_proxy_name="shop",
    )
    orders = VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, proxy=True, **code)
    assert orders.proxy is not None
    assert orders.proxy.node.path == "Stack/Database/BreakwaterProxy/Proxy"
    with pytest.raises(BreakwaterError, match=r"debug_logging given after the proxy .* before the first function"):
        Downstream.proxy(database, debug_logging=True)
    with pytest.raises(
        BreakwaterError, match=r"init_query is for a proxy that this library creates, and a proxy is given"
    ):
        Downstream.proxy(database, imported_proxy(stack), init_query="SELECT 1")
    template = Template.from_stack(stack)
    template.has_resource_properties(
        "AWS::RDS::DBProxy",
        {"DBProxyName": "shop", "Auth": [Match.object_like({"ClientPasswordAuthType": "POSTGRES_SCRAM_SHA_256"})]},
    )
    template.has_resource_properties(
        "AWS::RDS::DBProxyTargetGroup",
        {
            "ConnectionPoolConfigurationInfo": {
                "ConnectionBorrowTimeout": 3,
                "InitQuery": "SET TIME ZONE 'UTC'",
                "SessionPinningFilters": ["EXCLUDE_VARIABLE_SETS"],
            }
        },
    )


class TestGiven:
    def test_several_on_one_database(
        self, stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any]
    ) -> None:
        mine = l2_proxy(stack, "Mine", database, vpc, max_connections_percent=20)
        theirs = Downstream.proxy(database, imported_proxy(stack), max_connections_percent=10)
        VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, proxy=mine, **code)
        VpcDatabaseFunction(stack, "Reports", database=theirs, vpc=vpc, **code)
        VpcDatabaseFunction(stack, "Audit", database=database, vpc=vpc, proxy=True, **code)
        template = Template.from_stack(stack)
        order(template)
        percents = [
            group["Properties"]["ConnectionPoolConfigurationInfo"]["MaxConnectionsPercent"]
            for group in template.find_resources("AWS::RDS::DBProxyTargetGroup").values()
        ]
        assert sorted(percents) == [20, 40]
        pools = {
            name: variables(template, name)["BREAKWATER_MAX_CONNECTIONS"] for name in ("Orders", "Reports", "Audit")
        }
        assert pools == {"Orders": "22", "Reports": "11", "Audit": "44"}
        assert variables(template, "Reports")["BREAKWATER_HOST"] == "theirs.example.net"
        assert ConnectionBudget.of(database).usable_connections == 112 - 12 - 22 - 11 - 44
        assert (
            "20 % of 112, max_connections in the parameter group"
            in ConnectionBudget.of(Downstream.proxy(database, mine)).basis
        )

    def test_together_more_than_there_is(
        self, app: cdk.App, stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any]
    ) -> None:
        for name, percent in (("One", 60), ("Two", 45)):
            proxy = l2_proxy(stack, name, database, vpc, max_connections_percent=percent)
            VpcDatabaseFunction(stack, f"{name}Orders", database=database, vpc=vpc, proxy=proxy, **code)
        with pytest.raises(RuntimeError) as failure:
            app.synth()
        assert (
            "[Stack/Database/ConnectionBudget] MaxConnectionsPercent of its RDS Proxies (Stack/One 60 %, Stack/Two "
            "45 %) is 105 % together, 117 of 112 connections, and 12 are reserved and 0 external. Lower them, so that "
            "each is 1 % or more and all are 89 % or less."
        ) in str(failure.value)

    def test_the_default_leaves_nothing_to_the_server(
        self, app: cdk.App, stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any]
    ) -> None:
        proxy = l2_proxy(stack, "Mine", database, vpc)
        VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, proxy=proxy, **code)
        with pytest.raises(RuntimeError, match=r"\(Stack/Mine 100 %\) is 100 % together, 112 of 112 .* 89 % or less"):
            app.synth()

    def test_nothing_is_left_for_one_of_its_own(
        self, app: cdk.App, stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any]
    ) -> None:
        proxy = l2_proxy(stack, "Mine", database, vpc, max_connections_percent=75)
        VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, proxy=proxy, **code)
        VpcDatabaseFunction(stack, "Reports", database=database, vpc=vpc, proxy=True, **code)
        with pytest.raises(RuntimeError, match=r"Stack/Mine 75 %, Stack/Database/BreakwaterProxy/Proxy -5 %"):
            app.synth()

    def test_an_imported_one_says_how_to_give_the_number(
        self, app: cdk.App, stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any]
    ) -> None:
        VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, proxy=imported_proxy(stack), **code)
        with pytest.raises(
            RuntimeError,
            match=r"Stack/ImportedPool/ConnectionBudget\] it is imported, so nothing in the app states its "
            r"MaxConnectionsPercent.*Downstream\.proxy\(database, proxy, max_connections_percent=…\)",
        ):
            app.synth()

    def test_a_percentage_that_is_a_token(
        self, app: cdk.App, stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any]
    ) -> None:
        percent = cdk.CfnParameter(stack, "Percent", type="Number").value_as_number
        proxy = l2_proxy(stack, "Mine", database, vpc, max_connections_percent=percent)
        VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, proxy=proxy, **code)
        with pytest.raises(RuntimeError, match=r"its MaxConnectionsPercent is a token .*max_connections_percent=…\)"):
            app.synth()

    @pytest.mark.parametrize("context", [{"account_concurrency": 3000}])
    def test_one_percentage_for_writer_and_readers(self, stack: cdk.Stack, vpc: ec2.Vpc, code: dict[str, Any]) -> None:
        cluster = aurora(stack, vpc, readers=1)
        readers = Downstream.proxy(Downstream.readers(cluster), max_connections_percent=40)
        VpcDatabaseFunction(stack, "Reports", database=readers, vpc=vpc, **code)
        VpcDatabaseFunction(stack, "Orders", database=cluster, vpc=vpc, proxy=True, **code)
        VpcDatabaseFunction(stack, "Search", database=readers, vpc=vpc, proxy=True, **code)
        template = Template.from_stack(stack)
        pools = {
            name: variables(template, name)["BREAKWATER_MAX_CONNECTIONS"] for name in ("Reports", "Orders", "Search")
        }
        assert pools == dict.fromkeys(pools, "400")
        template.has_resource_properties(
            "AWS::RDS::DBProxyTargetGroup", {"ConnectionPoolConfigurationInfo": {"MaxConnectionsPercent": 40}}
        )

    def test_the_number_once(self, stack: cdk.Stack, database: rds.DatabaseInstance) -> None:
        proxy = imported_proxy(stack)
        Downstream.proxy(database, proxy, max_connections_percent=10)
        with pytest.raises(
            BreakwaterError, match=r"Stack/ImportedPool: max_connections_percent=20 is given after 10\."
        ):
            Downstream.proxy(database, proxy, max_connections_percent=20)
        with pytest.raises(BreakwaterError, match=r"max_connections_percent must be 1 to 100 \(given 101\)"):
            Downstream.proxy(database, proxy, max_connections_percent=101)


class TestErrors:
    def test_nobody_behind_it(self, app: cdk.App, database: rds.DatabaseInstance) -> None:
        Downstream.proxy(database)
        with pytest.raises(
            RuntimeError, match=r"\[Stack/Database/BreakwaterProxy\] no function logs in through it\. Pass"
        ):
            app.synth()

    def test_a_proxy_as_database(self, stack: cdk.Stack) -> None:
        with pytest.raises(
            BreakwaterError, match=r"Stack/Imported: an RDS Proxy .* Downstream\.proxy\(database, proxy\)"
        ):
            ConnectionBudget.of(imported_proxy(stack))

    def test_from_outside_its_vpc(self, stack: cdk.Stack, database: rds.DatabaseInstance, code: dict[str, Any]) -> None:
        with pytest.raises(BreakwaterError, match=r"Stack/Public: an RDS Proxy can be reached only from its VPC"):
            PublicSslDatabaseFunction(stack, "Public", database=Downstream.proxy(database), **code)

    def test_a_downstream_of_another_kind(self, stack: cdk.Stack, vpc: ec2.Vpc, code: dict[str, Any]) -> None:
        endpoint = Downstream.endpoint(
            stack, "Atlas", host="cluster0.example.net", engine=DatabaseEngine.MONGODB, max_connections=1500,
            secret=secretsmanager.Secret(stack, "Secret"),
        )  # fmt: skip
        with pytest.raises(
            BreakwaterError,
            match=r"Stack/Orders: proxy=True is given, and Stack/Atlas is not a database of RDS or Aurora",
        ):
            VpcDatabaseFunction(stack, "Orders", database=endpoint, vpc=vpc, proxy=True, **code)

    def test_an_engine_that_rds_proxy_does_not_know(self, stack: cdk.Stack, vpc: ec2.Vpc, code: dict[str, Any]) -> None:
        oracle = rds.DatabaseInstance(
            stack,
            "Oracle",
            engine=rds.DatabaseInstanceEngine.oracle_se2(version=rds.OracleEngineVersion.VER_19),
            vpc=vpc,
        )
        with pytest.raises(BreakwaterError, match=r"Stack/Orders: proxy=True .* does not speak the protocol of Oracle"):
            VpcDatabaseFunction(stack, "Orders", database=oracle, vpc=vpc, proxy=True, **code)

    def test_a_proxy_of_another_database(
        self, stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any]
    ) -> None:
        other = rds.DatabaseInstance(stack, "Other", engine=POSTGRESQL, vpc=vpc)
        theirs = other.add_proxy("Proxy", secrets=[secretsmanager.Secret(stack, "Login")], vpc=vpc)
        message = r"Stack/Orders: the proxy Stack/Other/Proxy leads to Stack/Other, and not to Stack/Database\."
        with pytest.raises(BreakwaterError, match=message):
            VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, proxy=theirs, **code)

    def test_a_read_replica(
        self, stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any]
    ) -> None:
        replica = rds.DatabaseInstanceReadReplica(
            stack, "Replica", source_database_instance=database, instance_type=LARGE, vpc=vpc
        )
        with pytest.raises(BreakwaterError, match=r"Stack/Orders: proxy=True .* Stack/Replica is a read replica"):
            VpcDatabaseFunction(stack, "Orders", database=replica, vpc=vpc, proxy=True, **code)

    def test_readers_through_a_proxy_that_leads_to_the_writer(
        self, stack: cdk.Stack, vpc: ec2.Vpc, code: dict[str, Any]
    ) -> None:
        readers = Downstream.readers(aurora(stack, vpc, readers=1))
        with pytest.raises(BreakwaterError, match=r"Stack/Imported: it connects to the writer of Stack/Cluster"):
            VpcDatabaseFunction(stack, "Orders", database=readers, vpc=vpc, proxy=imported_proxy(stack), **code)

    def test_a_timeout_without_time_to_wait(
        self, stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any]
    ) -> None:
        with pytest.raises(BreakwaterError, match=r"Stack/Orders: timeout=1 s leaves no time to wait .* 2 s or more"):
            VpcDatabaseFunction(
                stack, "Orders", database=database, vpc=vpc, proxy=True, timeout=cdk.Duration.seconds(1), **code
            )

    def test_one_zone(self, stack: cdk.Stack, code: dict[str, Any]) -> None:
        vpc = ec2.Vpc(stack, "Vpc", max_azs=1)
        database = rds.DatabaseInstance(stack, "Database", engine=POSTGRESQL, vpc=vpc)
        with pytest.raises(BreakwaterError, match=r"private subnets of Stack/Vpc are in 1 Availability Zone"):
            VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, proxy=True, **code)

    def test_an_unknown_vpc(self, stack: cdk.Stack) -> None:
        database = imported_instance(stack)
        with pytest.raises(BreakwaterError, match=r"the VPC of Stack/Imported is not known.*Pass vpc=…"):
            Downstream.proxy(database)


class TestOwnUser:
    def test_is_made_on_the_database_and_known_to_the_proxy(
        self, stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any]
    ) -> None:
        orders = VpcDatabaseFunction(
            stack,
            "Orders",
            database=database,
            vpc=vpc,
            proxy=True,
            credentials=DatabaseCredentials.user("orders", grants=["SELECT ON shop.*"]),
            **code,
        )
        assert orders.credentials.login_secret is not None
        template = Template.from_stack(stack)
        order(template)
        secret = stack.resolve(orders.credentials.login_secret.secret_arn)
        template.has_resource_properties("AWS::RDS::DBProxy", {"Auth": [Match.object_like({"SecretArn": secret})]})
        template.has_resource_properties(
            "Custom::DatabaseUser",
            {"User": "orders", "Server": {"Fn::Join": ["", Match.array_with([":5432"])]}},
        )
        administration = next(
            body["Properties"]["Environment"]["Variables"]
            for name, body in template.find_resources("AWS::Lambda::Function").items()
            if name.startswith("DatabaseAdministration") and "BREAKWATER_HOST" in str(body)
        )
        assert administration["BREAKWATER_HOST"] == {"Fn::GetAtt": ["DatabaseB269D8BB", "Endpoint.Address"]}
        assert "BREAKWATER_PROXY" not in administration

    def test_in_another_stack_it_logs_in_by_iam(self, app: cdk.App, code: dict[str, Any]) -> None:
        data, compute = (cdk.Stack(app, name, env=ENV) for name in ("Data", "Compute"))
        vpc = ec2.Vpc(data, "Vpc", max_azs=2)
        database = rds.DatabaseInstance(data, "Database", engine=POSTGRESQL, vpc=vpc)
        options = {"database": database, "vpc": vpc, "proxy": True, **code}
        with pytest.raises(BreakwaterError, match=r"Compute/Orders: the proxy .* log in with DatabaseCredentials\.iam"):
            VpcDatabaseFunction(
                compute,
                "Orders",
                credentials=DatabaseCredentials.user("orders", grants=["SELECT ON shop.*"]),
                **options,
            )
        VpcDatabaseFunction(
            compute, "Reports", credentials=DatabaseCredentials.iam("reports", grants=["SELECT ON shop.*"]), **options
        )
        app.synth()
