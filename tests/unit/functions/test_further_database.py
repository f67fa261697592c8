"""A function with several databases: variables, network, logins, layer, and the smallest of its shares."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_rds as rds
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk.assertions import Match, Template
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from breakwater_runtime.environment import Settings
from cdk_breakwater import (
    BreakwaterError,
    ConnectionBudget,
    ConnectionShare,
    DatabaseCredentials,
    DatabaseEngine,
    DecoupledInvocation,
    Downstream,
    InvocationSource,
    VpcDatabaseFunction,
)
from tests.unit.databases import POSTGRESQL, imported_instance
from tests.unit.proxies.test_database_proxy import aurora, order

MARIADB = rds.DatabaseInstanceEngine.maria_db(version=rds.MariaDbEngineVersion.VER_11_4_5)


@pytest.fixture
def stock(stack: cdk.Stack, vpc: ec2.Vpc) -> rds.DatabaseInstance:
    """45 connections, 5 of them reserved: 40 usable, 32 shared."""
    return rds.DatabaseInstance(
        stack, "Stock", engine=MARIADB, vpc=vpc, port=3307, parameters={"max_connections": "45"}, storage_encrypted=True
    )


def functions(template: Template) -> dict[str, dict[str, Any]]:
    found = template.find_resources("AWS::Lambda::Function")
    return {name[:-8]: body["Properties"] for name, body in found.items()}


def test_the_smallest_share_and_what_it_leaves(
    stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, stock: rds.DatabaseInstance, code: dict[str, Any]
) -> None:
    orders = VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, **code)
    VpcDatabaseFunction(stack, "Reports", database=database, vpc=vpc, **code)
    VpcDatabaseFunction(stack, "Counting", database=stock, vpc=vpc, **code)
    share = orders.add_database("stock", database=stock)
    template = Template.from_stack(stack)
    reserved = {name: body["ReservedConcurrentExecutions"] for name, body in functions(template).items()}
    # 16 of Stock's 32, where the shop's half would be 40: Reports has the 24 that are left.
    assert reserved == {"Orders": 16, "Reports": 64, "Counting": 16}
    assert (share.resolve(), orders.share.resolve()) == (16, 16)
    assert ConnectionShare.of(orders) is orders.share
    assert orders.share.reason == "weight 1, the smallest of its 2 shares"
    order(template)

    variables = functions(template)["Orders"]["Environment"]["Variables"]
    further = {name: value for name, value in variables.items() if name.startswith("BREAKWATER_STOCK_")}
    assert further == {
        "BREAKWATER_STOCK_ENGINE": "mariadb",
        "BREAKWATER_STOCK_HOST": {"Fn::GetAtt": ["Stock38709CBC", "Endpoint.Address"]},
        "BREAKWATER_STOCK_PORT": "3307",
        "BREAKWATER_STOCK_MAX_CONNECTIONS": "45",
        "BREAKWATER_STOCK_UTILIZATION": "0.8",
        "BREAKWATER_STOCK_TLS_CA": "bundled",
        "BREAKWATER_STOCK_FUNCTION_TIMEOUT": "30",
        "BREAKWATER_STOCK_SECRET_ARN": variables["BREAKWATER_STOCK_SECRET_ARN"],
    }
    assert variables["BREAKWATER_STOCK_SECRET_ARN"]["Ref"].startswith("StockSecretAttachment")
    assert variables["BREAKWATER_ENGINE"] == "postgresql"
    template.has_resource_properties(
        "AWS::EC2::SecurityGroupIngress",
        {"FromPort": 3307, "SourceSecurityGroupId": {"Fn::GetAtt": [Match.string_like_regexp("^Orders"), "GroupId"]}},
    )
    readable = {
        statement["Resource"]["Ref"]
        for name, policy in template.find_resources("AWS::IAM::Policy").items()
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if name.startswith("OrdersRole") and "secretsmanager:GetSecretValue" in statement["Action"]
    }
    assert readable == {"DatabaseSecretAttachmentE5D1B020", variables["BREAKWATER_STOCK_SECRET_ARN"]["Ref"]}


def test_the_runtime_reads_what_the_construct_writes(
    stack: cdk.Stack,
    vpc: ec2.Vpc,
    database: rds.DatabaseInstance,
    stock: rds.DatabaseInstance,
    code: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    orders = VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, **code)
    orders.add_database("stock", database=stock, proxy=True, credentials=DatabaseCredentials.iam("orders"))
    written = functions(Template.from_stack(stack))["Orders"]["Environment"]["Variables"]
    for name, value in written.items():
        monkeypatch.setenv(name, value if isinstance(value, str) else "known-at-deployment")
    read = Settings("stock", {})
    assert (read.engine, read.port, read.proxy, read.tls_ca) == ("mariadb", 3306, True, "system")
    assert (read.auth, read.user, read.secret_arn) == ("iam", "orders", None)
    assert (read.max_connections, read.utilization, read.function_timeout) == (31, 0.8, 30.0)
    assert Settings(None, {}).engine == "postgresql"


class TestLayer:
    def content(self, template: Template) -> list[str]:
        layers = template.find_resources("AWS::Lambda::LayerVersion")
        return [layers[reference["Ref"]]["Properties"]["Description"] for reference in self.used(template)]

    def used(self, template: Template) -> list[dict[str, str]]:
        return functions(template)["Orders"]["Layers"]

    def test_another_engine_has_the_last_word_with_both_drivers(
        self, stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, stock: rds.DatabaseInstance,
        code: dict[str, Any],
    ) -> None:  # fmt: skip
        VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, **code).add_database("stock", database=stock)
        first, last = self.content(Template.from_stack(stack))
        assert "psycopg" in first
        assert "pymysql" not in first
        assert "psycopg" in last
        assert "pymysql" in last

    def test_one_layer_where_the_drivers_are_named_or_the_same(
        self, stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, stock: rds.DatabaseInstance,
        code: dict[str, Any],
    ) -> None:  # fmt: skip
        drivers = [DatabaseEngine.POSTGRESQL.driver, DatabaseEngine.MARIADB.driver]
        orders = VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, drivers=drivers, **code)
        orders.add_database("stock", database=stock)
        orders.add_database("archive", database=rds.DatabaseInstance(stack, "Archive", engine=POSTGRESQL, vpc=vpc))
        assert len(self.used(Template.from_stack(stack))) == 1

    @pytest.mark.parametrize("context", [{"aws:cdk:disable-asset-staging": False}])
    def test_an_authority_of_its_own_is_added_to_the_others(
        self, stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any], tmp_path: Path
    ) -> None:
        pem = tmp_path / "ca.pem"
        pem.write_text("-----BEGIN CERTIFICATE-----\nMAo=\n-----END CERTIFICATE-----\n", encoding="ascii")
        endpoint = Downstream.endpoint(
            stack,
            "Endpoint",
            host="10.0.0.9",
            engine=DatabaseEngine.POSTGRESQL,
            max_connections=45,
            secret=secretsmanager.Secret(stack, "Secret"),
            certificate_authority=str(pem),
        )
        orders = VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, **code)
        orders.add_database("other", database=endpoint)
        assembly = stack.node.root.synth()  # pyrefly: ignore[missing-attribute]
        layers = [
            Path(assembly.directory) / f"asset.{resource['Properties']['Content']['S3Key'].removesuffix('.zip')}"
            for resource in assembly.get_stack_by_name("Stack").template["Resources"].values()
            if resource["Type"] == "AWS::Lambda::LayerVersion"
        ]
        bundles = [(layer / "python/breakwater_runtime/ca.pem").read_text(encoding="ascii") for layer in layers]
        alone, both = sorted(bundles, key=len)
        assert alone in both
        assert "MAo=" in both
        assert "MAo=" not in alone


def test_behind_a_queue_every_share_is_two_or_more(
    stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any]
) -> None:
    small = ConnectionBudget(stack, "Small", max_connections=10, utilization=1)
    small.share("others", weight=1000)
    orders = VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, **code)
    orders.share.join(small, "orders")
    assert orders.share.resolve() == 1
    DecoupledInvocation(stack, "Jobs", function=orders, source=InvocationSource.sqs())
    assert orders.share.resolve() == 2
    assert [share.resolve() for share in small.shares] == [8, 2]


def test_a_function_made_elsewhere_counts_twice_in_each(stack: cdk.Stack, code: dict[str, Any]) -> None:
    budgets = [ConnectionBudget(stack, name, max_connections=100) for name in ("One", "Two")]
    share = budgets[0].share("theirs")
    further = share.join(budgets[1], "theirs", connections_per_environment=2)
    share.limit(lambda_.Function(stack, "Theirs", **code))
    assert [part.claim.connections_per_environment for part in (share, further)] == [2, 4]
    assert share.resolve() == further.resolve() == 20
    Template.from_stack(stack).has_resource_properties("AWS::Lambda::Function", {"ReservedConcurrentExecutions": 20})


def test_in_the_plan(
    app: cdk.App, stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, stock: rds.DatabaseInstance,
    code: dict[str, Any],
) -> None:  # fmt: skip
    from cdk_breakwater.cli.plan import read_plans

    orders = VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, proxy=True, **code)
    orders.add_database("stock", database=stock)
    cluster = aurora(stack, vpc, readers=1)
    for name in ("readers", "proxied_readers"):
        orders.add_database(name, database=Downstream.readers(cluster), proxy=name == "proxied_readers")
    plans = {plan.path: plan for plan in read_plans(Path(app.synth().directory))}
    assert [holder.name for holder in plans["Stack/Stock"].holders] == ["Stack/Orders (stock)"]
    assert plans["Stack/Database"].pools == 78
    assert plans["Stack/Database"].shared == 17
    assert plans["Stack/Database/BreakwaterProxy/Proxy"].max_connections == 78
    assert plans["Stack/Cluster (readers)"].max_connections == 1000
    assert plans["Stack/Cluster/BreakwaterProxy/Proxy (readers)"].max_connections == 700


def test_several_connections_per_environment(
    stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, stock: rds.DatabaseInstance, code: dict[str, Any]
) -> None:
    options = {"database": database, "vpc": vpc, **code}
    orders = VpcDatabaseFunction(stack, "Orders", connections_per_environment=3, **options)
    assert orders.share.resolve() == 26  # of 80
    orders.add_database("stock", database=stock, connections_per_environment=2)
    assert orders.share.resolve() == 16  # of 32
    with pytest.raises(BreakwaterError, match=r"connections_per_environment of 'Stack/Reports' must be .* at least 1"):
        VpcDatabaseFunction(stack, "Reports", connections_per_environment=0, **options)


class TestErrors:
    @pytest.fixture
    def orders(
        self, stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any]
    ) -> VpcDatabaseFunction:
        return VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, **code)

    def test_names(self, orders: VpcDatabaseFunction, stock: rds.DatabaseInstance) -> None:
        for name in ("", "the stock", "2nd", "a-b", "é"):
            with pytest.raises(BreakwaterError, match=rf"Stack/Orders: the further database's name is '{name}'"):
                orders.add_database(name, database=stock)
        orders.add_database("stock", database=stock)
        with pytest.raises(BreakwaterError, match=r"Stack/Orders: it has a further database 'Stock' already"):
            orders.add_database("Stock", database=stock)

    def test_no_credentials(self, stack: cdk.Stack, orders: VpcDatabaseFunction) -> None:
        imported = imported_instance(stack)
        with pytest.raises(BreakwaterError, match=r"Stack/Orders: the database Stack/Imported has no secret"):
            orders.add_database("other", database=imported)

    def test_the_smaller_one_is_oversubscribed(
        self, app: cdk.App, orders: VpcDatabaseFunction, stock: rds.DatabaseInstance
    ) -> None:
        ConnectionBudget.of(stock).share("everyone", concurrency=32)
        orders.add_database("stock", database=stock)
        with pytest.raises(RuntimeError) as failure:
            app.synth()
        assert "[Stack/Stock/ConnectionBudget] the shares need at least 33 connections of 32" in str(failure.value)
        assert "  Stack/Orders (stock)       1  weight 1, the smallest of its 2 shares\n" in str(failure.value)


@st.composite
def apps(draw: st.DrawFn) -> tuple[list[int], list[tuple[str, float | None, int | None, list[int]]]]:
    sizes = draw(st.lists(st.integers(1, 300), min_size=1, max_size=3))
    made = []
    for number in range(draw(st.integers(1, 8))):
        fixed = draw(st.none() | st.none() | st.integers(1, 10))
        weight = None if fixed else draw(st.none() | st.floats(0.01, 100))
        used = draw(st.lists(st.integers(0, len(sizes) - 1), min_size=1, unique=True))
        made.append((f"function {number}", weight, fixed, used))
    return sizes, made


def divide(sizes: list[int], made: list[tuple[str, float | None, int | None, list[int]]]) -> dict[str, dict[int, int]]:
    stack = cdk.Stack(None, "Stack")
    budgets = [ConnectionBudget(stack, f"Budget{number}", max_connections=size) for number, size in enumerate(sizes)]
    shares = {}
    for name, weight, fixed, used in made:
        first = budgets[used[0]].share(name, weight=weight, concurrency=fixed)
        shares[name] = {used[0]: first, **{further: first.join(budgets[further], name) for further in used[1:]}}
    return {name: {used: share.resolve() for used, share in parts.items()} for name, parts in shares.items()}


@settings(max_examples=40)
@given(apps(), st.randoms())
def test_any_app_in_any_order(drawn: Any, random: Any) -> None:
    sizes, made = drawn
    shared = [size * 4 // 5 for size in sizes]
    least = [sum(fixed or 1 for _, _, fixed, used in made if number in used) for number in range(len(sizes))]
    assume(all(need <= there for need, there in zip(least, shared, strict=True)))
    divided = divide(sizes, made)
    for number, there in enumerate(shared):
        assert sum(parts.get(number, 0) for parts in divided.values()) <= there
    for name, _, fixed, _ in made:
        (concurrency,) = {*divided[name].values()}
        assert concurrency == fixed if fixed else concurrency >= 1
    # Equals alone depend on who came first, and only where no function has a further database.
    joint = {number for *_, used in made for number in used if len(used) > 1}
    random.shuffle(made)
    again = divide(sizes, [(name, weight, fixed, random.sample(used, len(used))) for name, weight, fixed, used in made])
    for name, *_, used in made:
        if joint & {*used}:
            assert again[name] == divided[name]
