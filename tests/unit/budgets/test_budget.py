"""Where a budget's number comes from, how it is shared, and what is said when it does not add up."""

from __future__ import annotations

from typing import Any, cast

import aws_cdk as cdk
import jsii
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_rds as rds
from aws_cdk.assertions import Annotations, Match, Template

from cdk_breakwater import BreakwaterError, ConnectionBudget, DatabaseEngine, Downstream, VpcDatabaseFunction
from tests.unit.databases import POSTGRESQL, imported_instance

AURORA_MYSQL = rds.DatabaseClusterEngine.aurora_mysql(version=rds.AuroraMysqlEngineVersion.VER_3_08_0)
AURORA_POSTGRESQL = rds.DatabaseClusterEngine.aurora_postgres(version=rds.AuroraPostgresEngineVersion.VER_16_4)


def concurrencies(stack: cdk.Stack) -> dict[str, int]:
    functions = Template.from_stack(stack).find_resources("AWS::Lambda::Function")
    return {
        logical_id[:-8]: function["Properties"]["ReservedConcurrentExecutions"]
        for logical_id, function in functions.items()
        if "ReservedConcurrentExecutions" in function["Properties"]
    }


def test_functions_that_name_a_database_share_its_one_budget(
    stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any]
) -> None:
    VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, **code)
    VpcDatabaseFunction(stack, "Reports", database=database, vpc=vpc, share_weight=2, **code)
    VpcDatabaseFunction(stack, "Nightly", database=database, vpc=vpc, concurrency=5, **code)
    budget = ConnectionBudget.of(database)
    assert (budget.max_connections, budget.reserved_connections, budget.usable_connections) == (112, 12, 100)
    assert budget.shared_connections == 80
    assert budget.basis == "max_connections in the parameter group"
    assert concurrencies(stack) == {"Orders": 25, "Reports": 50, "Nightly": 5}


def test_numbers_given_before_the_first_share(stack: cdk.Stack, database: rds.DatabaseInstance) -> None:
    budget = ConnectionBudget.of(database, max_connections=500, external_connections=40, utilization=0.5)
    assert budget.usable_connections == 500 - 12 - 40
    assert budget.shared_connections == 224
    assert budget.basis == "max_connections given"
    assert ConnectionBudget.of(database) is budget
    budget.share("worker")
    with pytest.raises(BreakwaterError, match=r"Stack/Database/ConnectionBudget: max_connections given after .*worker"):
        ConnectionBudget.of(database, max_connections=600)


def test_utilization_is_the_decimal_that_was_typed(stack: cdk.Stack) -> None:
    # In floating point, 0.29 * 100 is 28.999999999999996.
    assert ConnectionBudget(stack, "Budget", max_connections=100, utilization=0.29).shared_connections == 29


def test_a_change_after_the_share_still_counts(stack: cdk.Stack, vpc: ec2.Vpc, code: dict[str, Any]) -> None:
    group = rds.ParameterGroup(stack, "Parameters", engine=POSTGRESQL, parameters={"max_connections": "112"})
    database = rds.DatabaseInstance(stack, "Database", engine=POSTGRESQL, vpc=vpc, parameter_group=group)
    VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, **code)
    assert ConnectionBudget.of(database).max_connections == 112

    @jsii.implements(cdk.IAspect)
    class Halve:
        def visit(self, node: Any) -> None:
            if isinstance(node, rds.CfnDBParameterGroup):
                node.parameters = {"max_connections": "62"}

    cdk.Aspects.of(stack).add(Halve())
    assert concurrencies(stack) == {"Orders": 40}


@pytest.mark.parametrize(
    ("engine", "reserved"),
    [
        (POSTGRESQL, 12),
        (rds.DatabaseInstanceEngine.mysql(version=rds.MysqlEngineVersion.VER_8_4_5), 5),
        (rds.DatabaseInstanceEngine.maria_db(version=rds.MariaDbEngineVersion.VER_11_4_5), 5),
    ],
)
def test_reserved_connections_by_engine(
    stack: cdk.Stack, vpc: ec2.Vpc, engine: rds.IInstanceEngine, reserved: int
) -> None:
    database = rds.DatabaseInstance(stack, "Database", engine=engine, vpc=vpc)
    assert ConnectionBudget.of(database).reserved_connections == reserved


def test_an_estimate_is_announced_with_the_advice_to_set_the_number(
    stack: cdk.Stack, vpc: ec2.Vpc, code: dict[str, Any]
) -> None:
    micro = ec2.InstanceType("t4g.micro")
    database = rds.DatabaseInstance(stack, "Database", engine=POSTGRESQL, vpc=vpc, instance_type=micro)
    VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, **code)
    budget = ConnectionBudget.of(database)
    assert 60 < budget.max_connections < 79  # observed on the instance: 79
    Annotations.from_stack(stack).has_warning(
        "/Stack/Database/ConnectionBudget",
        Match.string_like_regexp(f"max_connections = {budget.max_connections} is estimated .* parameter group"),
    )


@pytest.mark.parametrize(
    ("engine", "max_acu", "expected"),
    [(AURORA_MYSQL, 8, 1000), (AURORA_POSTGRESQL, 8, 1669), (AURORA_POSTGRESQL, 64, 2000)],
)
def test_serverless_v2_by_maximum_acu(
    stack: cdk.Stack, vpc: ec2.Vpc, engine: rds.IClusterEngine, max_acu: int, expected: int
) -> None:
    cluster = rds.DatabaseCluster(
        stack,
        "Cluster",
        engine=engine,
        vpc=vpc,
        writer=rds.ClusterInstance.serverless_v2("writer"),
        serverless_v2_min_capacity=0.5,
        serverless_v2_max_capacity=max_acu,
    )
    assert ConnectionBudget.of(cluster).max_connections == expected


def test_a_cluster_has_the_fewest_connections_of_its_instances(stack: cdk.Stack, vpc: ec2.Vpc) -> None:
    cluster = rds.DatabaseCluster(
        stack,
        "Cluster",
        engine=AURORA_MYSQL,
        vpc=vpc,
        writer=rds.ClusterInstance.provisioned("writer", instance_type=ec2.InstanceType("r6g.xlarge")),
        readers=[rds.ClusterInstance.provisioned("reader", instance_type=ec2.InstanceType("r6g.large"))],
    )
    assert ConnectionBudget.of(cluster).max_connections == 1000


def test_one_database_imported_twice_has_one_budget(app: cdk.App) -> None:
    databases = [imported_instance(cdk.Stack(app, name)) for name in ("One", "Two")]
    budgets = [ConnectionBudget.of(database) for database in databases]
    assert budgets[0] is budgets[1]


def test_stages_of_one_app_do_not_share(app: cdk.App) -> None:
    budgets = []
    for name in ("Beta", "Prod"):
        stack = cdk.Stack(cdk.Stage(app, name), "Stack")
        vpc = ec2.Vpc(stack, "Vpc")
        database = rds.DatabaseInstance(stack, "Database", engine=POSTGRESQL, vpc=vpc)
        budgets.append(ConnectionBudget.of(database))
    assert budgets[0] is not budgets[1]


class TestLimit:
    def test_counts_twice_since_environments_overlap_at_a_deployment(
        self, stack: cdk.Stack, code: dict[str, Any]
    ) -> None:
        budget = ConnectionBudget(stack, "Budget", max_connections=100)
        budget.share("theirs").limit(lambda_.Function(stack, "Theirs", **code))
        budget.share("closes").limit(lambda_.Function(stack, "Closes", **code), overlap=False)
        assert concurrencies(stack) == {"Theirs": 20, "Closes": 40}

    def test_what_is_no_function_of_this_app_says_how_to_set_it(self, stack: cdk.Stack, code: dict[str, Any]) -> None:
        share = ConnectionBudget(stack, "Numbers", max_connections=100).share("worker", concurrency=7)
        singleton = lambda_.SingletonFunction(stack, "Single", uuid="one", **code)
        resource = cast("lambda_.CfnFunction", lambda_.Function(stack, "Function", **code).node.default_child)
        for given, remedy in ((singleton, r"Make it with"), (resource, r"Write function\.reserved_concurrent")):
            with pytest.raises(BreakwaterError, match=remedy):
                share.limit(cast("lambda_.IFunction", given))
        resource.reserved_concurrent_executions = share.concurrency
        Template.from_stack(stack).has_resource_properties("AWS::Lambda::Function", {"ReservedConcurrentExecutions": 7})

    def test_a_function_has_one_share(
        self, stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any]
    ) -> None:
        function = lambda_.Function(stack, "Function", vpc=vpc, **code)
        ConnectionBudget.of(database).share("worker").limit(function)
        with pytest.raises(BreakwaterError, match=r"Stack/Function: the share 'worker' bounds it already\."):
            Downstream.of(database).connect(function)

    def test_refuses_a_function_that_is_limited_already(self, stack: cdk.Stack, code: dict[str, Any]) -> None:
        function = lambda_.Function(stack, "Function", reserved_concurrent_executions=7, **code)
        share = ConnectionBudget(stack, "Budget", max_connections=100).share("worker")
        with pytest.raises(BreakwaterError, match=r"Stack/Function: it has reserved_concurrent_executions=7 already"):
            share.limit(function)

    def test_refuses_an_imported_function(self, stack: cdk.Stack) -> None:
        function = lambda_.Function.from_function_name(stack, "Function", "theirs")
        share = ConnectionBudget(stack, "Budget", max_connections=100).share("worker")
        with pytest.raises(BreakwaterError, match=r"Stack/Function: it is imported"):
            share.limit(function)

    def test_bounds_one_function(self, stack: cdk.Stack, code: dict[str, Any]) -> None:
        share = ConnectionBudget(stack, "Budget", max_connections=100).share("worker")
        share.limit(lambda_.Function(stack, "One", **code))
        with pytest.raises(BreakwaterError, match=r"Stack/Two: the share 'worker' bounds Stack/One already"):
            share.limit(lambda_.Function(stack, "Two", **code))


class TestErrors:
    def test_oversubscription_fails_the_synth_with_a_table(self, app: cdk.App, stack: cdk.Stack) -> None:
        budget = ConnectionBudget(stack, "Budget", max_connections=20)
        budget.share("orders", concurrency=12)
        budget.share("reports", concurrency=3, connections_per_environment=2)
        budget.share("nightly")
        with pytest.raises(RuntimeError) as failure:
            app.synth()
        text = str(failure.value)
        assert "[Stack/Budget] the shares need at least 19 connections of 16: (20 - 0 reserved - 0 external)" in text
        assert "  orders       12  concurrency=12, 1 connection each (assumed)\n" in text
        assert "  reports       6  concurrency=3, 2 connections each\n" in text
        assert "  nightly       1  weight 1, 1 connection each (assumed)\n" in text

    def test_nothing_left_to_share(self, app: cdk.App, database: rds.DatabaseInstance) -> None:
        ConnectionBudget.of(database, external_connections=100)
        with pytest.raises(
            RuntimeError, match=r"max_connections = 112 .* leaves nothing to share: \(112 - 12 reserved"
        ):
            app.synth()

    def test_an_imported_database_says_how_to_give_the_number(self, app: cdk.App, stack: cdk.Stack) -> None:
        database = imported_instance(stack)
        budget = ConnectionBudget.of(database)
        with pytest.raises(BreakwaterError, match=r"ConnectionBudget.of\(database, max_connections=…\)"):
            budget.max_connections  # noqa: B018 -- the property raises
        with pytest.raises(RuntimeError, match=r"Stack/Imported/ConnectionBudget\] it is imported"):
            app.synth()

    def test_by_itself_it_must_be_given(self, app: cdk.App, stack: cdk.Stack) -> None:
        ConnectionBudget(stack, "Budget")
        with pytest.raises(
            RuntimeError,
            match=r"Stack/Budget\] it belongs to no database of this app\. .*ConnectionBudget\(…, max_conn",
        ):
            app.synth()

    def test_an_unknown_parameter_group_is_not_guessed(self, app: cdk.App, stack: cdk.Stack, vpc: ec2.Vpc) -> None:
        group = rds.ParameterGroup.from_parameter_group_name(stack, "Group", "tuned")
        database = rds.DatabaseInstance(stack, "Database", engine=POSTGRESQL, vpc=vpc, parameter_group=group)
        ConnectionBudget.of(database)
        with pytest.raises(RuntimeError, match=r"its parameter group 'tuned' is imported and may set any"):
            app.synth()

    def test_a_token_is_no_number(self, stack: cdk.Stack) -> None:
        token = cdk.CfnParameter(stack, "Limit", type="Number").value_as_number
        with pytest.raises(BreakwaterError, match=r"Stack/Budget: max_connections is a token .* plain number"):
            ConnectionBudget(stack, "Budget", max_connections=token)  # pyrefly: ignore[bad-argument-type]

    def test_an_imported_database_without_an_engine(self, stack: cdk.Stack) -> None:
        database = imported_instance(stack, engine=None)
        with pytest.raises(BreakwaterError, match=r"Stack/Imported: its engine is unknown .* engine=…"):
            ConnectionBudget.of(database)

    def test_what_is_no_downstream(self, vpc: ec2.Vpc) -> None:
        with pytest.raises(
            BreakwaterError, match=r"Stack/Vpc: Vpc is not a downstream\. Pass an rds\.DatabaseInstance"
        ):
            ConnectionBudget.of(vpc)

    @pytest.mark.parametrize("utilization", [0, -0.1, 1.01, float("nan")])
    def test_utilization_out_of_range(self, stack: cdk.Stack, utilization: float) -> None:
        with pytest.raises(
            BreakwaterError, match=r"utilization (must be above 0 and at most 1|is .*\. Give a number above 0)"
        ):
            ConnectionBudget(stack, "Budget", max_connections=10, utilization=utilization)

    @pytest.mark.parametrize("number", [0, -5, 2.5, float("nan"), float("inf")])
    def test_max_connections_out_of_range(self, stack: cdk.Stack, number: float) -> None:
        with pytest.raises(
            BreakwaterError, match=rf"max_connections must be a whole number of at least 1 \(given {number}\)"
        ):
            ConnectionBudget(stack, "Budget", max_connections=number)  # pyrefly: ignore[bad-argument-type]

    def test_shares_are_checked(self, stack: cdk.Stack) -> None:
        budget = ConnectionBudget(stack, "Budget", max_connections=10)
        budget.share("worker")
        with pytest.raises(BreakwaterError, match=r"the share 'worker' already exists"):
            budget.share("worker")
        with pytest.raises(BreakwaterError, match=r"both weight=2 and concurrency=3"):
            budget.share("other", weight=2, concurrency=3)
        with pytest.raises(BreakwaterError, match=r"weight of 'other' is 0\. Give a number above 0"):
            budget.share("other", weight=0)
        with pytest.raises(BreakwaterError, match=r"concurrency of 'other' must be a whole number of at least 1"):
            budget.share("other", concurrency=0)
        assert [share.name for share in budget.shares] == ["worker"]


class TestAccount:
    @pytest.mark.parametrize("context", [{"account_concurrency": 150}])
    def test_more_than_the_account_grants_fails_the_synth(
        self, app: cdk.App, stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any]
    ) -> None:
        VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, concurrency=80, **code)
        with pytest.raises(RuntimeError) as failure:
            app.synth()
        assert "1 function reserves a concurrency of 80 in aws://123456789012/eu-central-1" in str(failure.value)
        assert "a quota of 150 (context account_concurrency) can reserve 50." in str(failure.value)
        assert "reserve_concurrency=False" in str(failure.value)

    @pytest.mark.parametrize("context", [{"account_concurrency": "10"}])  # a string, as the CLI passes it
    def test_a_new_account_reserves_nothing(
        self, app: cdk.App, stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any]
    ) -> None:
        VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, reserve_concurrency=False, **code)
        assert concurrencies(stack) == {}
        Annotations.from_stack(stack).has_warning(
            "/Stack/Orders", Match.string_like_regexp("reserve_concurrency=False: a burst of direct invocations")
        )

    @pytest.mark.parametrize("context", [{"account_concurrency": 200}])
    def test_half_of_it_is_a_warning(
        self, app: cdk.App, stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any]
    ) -> None:
        VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, **code)
        Annotations.from_stack(stack).has_warning(
            "/Stack/Database/ConnectionBudget", Match.string_like_regexp("1 function reserves a concurrency of 80 in")
        )

    def test_stacks_of_other_accounts_count_apart(self, app: cdk.App, code: dict[str, Any]) -> None:
        for account in ("111111111111", "222222222222"):
            stack = cdk.Stack(app, f"In{account}", env=cdk.Environment(account=account, region="eu-central-1"))
            budget = ConnectionBudget(stack, "Budget", max_connections=500, utilization=1)
            budget.share("worker").limit(lambda_.Function(stack, "Function", **code), overlap=False)
        app.synth()

    @pytest.mark.parametrize("context", [{"account_concurrency": "many"}])
    def test_the_context_must_be_a_number(self, app: cdk.App, stack: cdk.Stack, code: dict[str, Any]) -> None:
        budget = ConnectionBudget(stack, "Budget", max_connections=10)
        budget.share("worker").limit(lambda_.Function(stack, "Function", **code))
        with pytest.raises(
            RuntimeError, match=r"context account_concurrency must be a whole number above 0 \(given 'many'\)"
        ):
            app.synth()


def test_an_endpoint_is_a_downstream(stack: cdk.Stack) -> None:
    atlas = Downstream.endpoint(
        stack, "Atlas", host="cluster0.example.net", engine=DatabaseEngine.MONGODB, max_connections=1500
    )
    budget = ConnectionBudget.of(atlas)
    assert atlas.port == 27017
    assert (budget.max_connections, budget.reserved_connections, budget.basis) == (1500, 10, "max_connections given")
