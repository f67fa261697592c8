"""`breakwater plan --diff`: what a deployment does on its way, and what to do about it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_lambda as lambda_
from aws_cdk.assertions import Annotations, Match

from cdk_breakwater import ConnectionBudget, DecoupledInvocation, InvocationSource

BUDGET = 54  # of README's first app: (80 - 12) x 0.8

Spec = dict[str, dict[str, Any]]
README: Spec = {"Shop/Orders": {}, "Shop/Reports": {"weight": 2}, "Shop/Nightly": {"concurrency": 5}}


def synthesize(
    folder: Path,
    functions: Spec,
    *,
    max_connections: int = 68,
    queue_before: str | None = None,
    guarded: bool = False,
) -> Path:
    """Synthesize an app whose functions share one budget, each in the stack that its path begins with."""
    app = cdk.App(outdir=str(folder))
    root = cdk.Stack(app, "Data", env=cdk.Environment(account="123456789012", region="eu-central-1"))
    budget = ConnectionBudget(root, "Database", max_connections=max_connections, guard_deployments=guarded)
    stacks: dict[str, cdk.Stack] = {}
    for path, given in functions.items():
        name, id_ = path.split("/")
        if name not in stacks:
            stacks[name] = cdk.Stack(app, name, env=cdk.Environment(account="123456789012", region="eu-central-1"))
        options = dict(given)
        function = lambda_.Function(
            stacks[name],
            id_,
            code=lambda_.Code.from_inline("def handler(event, context): pass"),
            handler="index.handler",
            runtime=lambda_.Runtime.PYTHON_3_14,
            function_name=options.pop("function_name", None),
        )
        budget.share(path, **options).limit(function, overlap=False)
        if queue_before == path:
            DecoupledInvocation(stacks[name], "Jobs", function=function, source=InvocationSource.sqs())
    app.synth()
    return folder


def breakwater(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [Path(sys.executable).with_name("breakwater"), "plan", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env={"COLUMNS": "160", "PATH": "/usr/bin:/bin"}
    )


def compared(new: Path, old: Path, *options: str | Path) -> tuple[dict[str, Any], int]:
    done = breakwater(new, "--diff", old, "--format", "json", *options)
    assert done.stdout, done.stderr
    return json.loads(done.stdout), done.returncode


@pytest.fixture(scope="module")
def readme(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return synthesize(tmp_path_factory.mktemp("readme") / "cdk.out", README)


def test_nothing_changes(readme: Path) -> None:
    done = breakwater(readme, "--diff", readme)
    assert done.returncode == 0
    assert "No share changes" in done.stdout


@pytest.mark.parametrize(
    ("functions", "worst", "code"),
    [
        # 16, 33, 5 before; 10, 19, 5 and 10 twice after
        ({**README, "Shop/Search": {}, "Shop/Export": {}}, 54 + 10 + 10, 4),
        ({"Shop/Orders": {}, "Shop/Reports": {"weight": 2}}, 18 + 36 + 5, 3),
        ({"Shop/Purchases": {}, "Shop/Reports": {"weight": 2}, "Shop/Nightly": {"concurrency": 5}}, 54 + 16, 4),
        ({**README, "Shop/Orders": {"weight": 9}}, 40 + 33 + 5, 4),
        ({**README, "Shop/Nightly": {"concurrency": 5, "function_name": "nightly"}}, 54 + 5, 3),
    ],
    ids=["add two", "remove one", "rename one", "weight", "the name of the function"],
)
def test_the_worst_instant_of_one_stack(tmp_path: Path, readme: Path, functions: Spec, worst: int, code: int) -> None:
    found, returned = compared(synthesize(tmp_path / "new", functions), readme)
    (budget,) = found["budgets"]
    assert (budget["before"], budget["after"], budget["worst"], budget["in_order"]) == (54, 54, worst, worst)
    assert budget["advice"][0].startswith("Deploy in two steps")
    assert returned == code == found["severity"]


def test_two_stacks_are_told_their_order(tmp_path: Path, readme: Path) -> None:
    new = synthesize(tmp_path / "new", {**README, "Search/Search": {}})
    found, code = compared(new, readme)
    (budget,) = found["budgets"]
    assert found["order"] == ["Shop", "Search"]
    assert (budget["worst"], budget["in_order"], budget["alone"]) == (66, 54, {"Search": 66})
    assert code == 0
    shown = " ".join(breakwater(new, "--diff", readme).stdout.split())
    assert "in this order: cdk deploy Shop && cdk deploy Search." in shown
    assert "Search deployed alone leaves 66 of 54 until Shop is deployed, too." in shown


def test_a_stack_that_is_only_taken_out_of_the_app_keeps_its_functions(tmp_path: Path, readme: Path) -> None:
    old = synthesize(tmp_path / "old", {**README, "Search/Search": {}})
    found, code = compared(readme, old)
    (budget,) = found["budgets"]
    assert (budget["after"], code) == (66, 3)
    assert "cdk destroy Search" in budget["advice"][0]


def test_a_template_is_enough(tmp_path: Path, readme: Path) -> None:
    new = synthesize(tmp_path / "new", {**README, "Shop/Search": {}})
    found, _ = compared(new, readme / "Shop.template.json")
    assert [budget["worst"] for budget in found["budgets"]] == [66]
    (tmp_path / "Other.json").write_text('{"Resources": {}}', encoding="utf-8")
    refused = breakwater(new, "--diff", tmp_path / "Other.json")
    assert refused.returncode == 1
    assert "the app has no stack 'Other'. Name the file after its stack, one of Data, Shop" in refused.stderr
    (tmp_path / "Shop.yaml").write_text("Resources: {}", encoding="utf-8")
    assert "it is not JSON" in breakwater(new, "--diff", tmp_path / "Shop.yaml").stderr
    assert "is not a cloud assembly" in breakwater(new, "--diff", tmp_path / "nowhere").stderr


def test_the_first_of_two_steps(tmp_path: Path, readme: Path) -> None:
    functions = {**README, "Shop/Orders": {"weight": 9}, "Shop/Search": {}}
    new = synthesize(tmp_path / "new", functions, queue_before="Shop/Search")
    first = tmp_path / "first"
    compared(new, readme, "--first-step", first)
    resources = json.loads((first / "Shop.template.json").read_text())["Resources"]
    reserved = {
        id_[:6]: part["Properties"]["ReservedConcurrentExecutions"]
        for id_, part in resources.items()
        if part["Type"] == "AWS::Lambda::Function"
    }
    assert reserved == {"Orders": 16, "Report": 8, "Nightl": 5, "Search": 0}
    (mapping,) = [part for part in resources.values() if part["Type"] == "AWS::Lambda::EventSourceMapping"]
    assert mapping["Properties"]["Enabled"] is False
    for then, before in ((first, readme), (new, first)):
        found, code = compared(then, before)
        assert code == 0, found
        assert all(budget["worst"] <= BUDGET for budget in found["budgets"])
    published = json.loads((first / "Shop.assets.json").read_text())["files"]
    (asset,) = [file for file in published if published[file]["source"]["path"] == "Shop.template.json"]
    assert asset in (first / "manifest.json").read_text()
    assert asset not in (new / "manifest.json").read_text()
    assert "it exists already" in breakwater(new, "--diff", readme, "--first-step", first).stderr


def test_a_smaller_database_needs_smaller_shares_first(tmp_path: Path, readme: Path) -> None:
    new = synthesize(tmp_path / "new", README, max_connections=40)
    found, code = compared(new, readme)
    (budget,) = found["budgets"]
    assert (budget["shared"], budget["worst"], code) == (32, 54, 4)
    assert "utilization=…" in budget["advice"][0]
    assert (
        "the server would before its functions"
        in breakwater(new, "--diff", readme, "--first-step", tmp_path / "x").stderr
    )


def test_the_accounts_pool_midway(tmp_path: Path) -> None:
    large = {"Shop/Orders": {"concurrency": 500}}
    old = synthesize(tmp_path / "old", large, max_connections=2000)
    new = synthesize(tmp_path / "new", {"Shop/Purchases": {"concurrency": 500}}, max_connections=2000)
    found, code = compared(new, old)
    assert found["pools"] == [
        {"environment": "aws://123456789012/eu-central-1", "limit": 900, "after": 500, "worst": 1000}
    ]
    assert code == 4
    assert "needs for a moment 1000 of the 900" in " ".join(breakwater(new, "--diff", old).stdout.split())
    assert compared(new, old, "--account-concurrency", "1200")[1] == 0


def test_adding_beside_a_large_share_needs_the_pool_for_both(tmp_path: Path) -> None:
    old = synthesize(tmp_path / "old", {"Shop/Orders": {}}, max_connections=1000)  # 800
    new = synthesize(tmp_path / "new", {"Shop/Orders": {}, "Shop/Search": {}}, max_connections=1000)
    found, code = compared(new, old)
    assert [(pool["after"], pool["worst"]) for pool in found["pools"]] == [(800, 1200)]
    assert code == 4


def test_with_the_guard_the_pool_is_kept_as_well(tmp_path: Path) -> None:
    old = synthesize(tmp_path / "old", {"Shop/Orders": {}}, max_connections=1000, guarded=True)
    new = synthesize(tmp_path / "new", {"Shop/Purchases": {}}, max_connections=1000, guarded=True)
    found, code = compared(new, old)
    assert found["pools"] == []
    assert code == 0


@pytest.mark.parametrize("guarded", [False, True])
def test_a_queue_that_falls_after_its_function_is_named(tmp_path: Path, guarded: bool) -> None:
    large = {**README, "Shop/Orders": {"weight": 9}}  # 40 of 54
    old = synthesize(tmp_path / "old", large, queue_before="Shop/Orders", guarded=guarded)
    new = synthesize(tmp_path / "new", README, queue_before="Shop/Orders", guarded=guarded)
    found, _ = compared(new, old)
    (budget,) = found["budgets"]
    said = [sentence for sentence in budget["advice"] if "MaximumConcurrency" in sentence]
    if guarded:
        assert said == []
        return
    assert said == [
        "Shop/Orders falls before the MaximumConcurrency of its queues does: for some seconds up to 24 batches at once "
        "are received only to be throttled, and each spends a receive of its messages. Lower the mapping in a "
        "deployment of its own before this one, or guard the budget."
    ]


def test_a_users_limit_that_falls_before_its_functions_is_named(tmp_path: Path) -> None:
    """Written by hand, since a user needs a database of its own: two functions log in as it."""

    def written(name: str, limit: int, *numbers: int) -> Path:
        folder = synthesize(tmp_path / name, {"Shop/One": {"concurrency": numbers[0]}, "Shop/Two": {}})
        template = json.loads((folder / "Shop.template.json").read_text())
        for resource in template["Resources"].values():
            if resource["Type"] == "AWS::Lambda::Function":
                resource["DependsOn"] = ["Login", *resource.get("DependsOn", [])]
        template["Resources"]["Login"] = {
            "Type": "Custom::DatabaseUser",
            "Properties": {"User": "shop", "ConnectionLimit": limit},
        }
        (folder / "Shop.template.json").write_text(json.dumps(template))
        return folder

    old, new = written("old", 68, 30), written("new", 50, 10)
    found, _ = compared(new, old)
    (budget,) = found["budgets"]
    assert budget["users"] == [{"name": "shop", "before": 68, "after": 50, "held": 54}]
    assert (
        "The user shop is limited to 50 connections before its functions fall from 54: until they do, the server "
        "refuses new ones beyond that. Lower the functions in a deployment of their own before this one "
        "(concurrency=…), or guard the budget." in budget["advice"]
    )
    assert compared(old, new)[0]["budgets"][0]["users"] == []


def test_markdown_for_a_pull_request(tmp_path: Path, readme: Path) -> None:
    new = synthesize(tmp_path / "new", {**README, "Shop/Search": {}})
    said = breakwater(new, "--diff", readme, "--format", "markdown").stdout
    assert "⚠️ **Data/Database**: at the worst instant 66 of 54, above the budget." in said
    assert "| Shop/Search | Shop | 0 | 12 | 12 | new |" in said
    assert "| **all** | of 54 | 54 | 54 | 66 | |" in said


def test_stacks_that_share_a_budget_are_told_so(app: cdk.App, stack: cdk.Stack, code: dict[str, Any]) -> None:
    budget = ConnectionBudget(stack, "Budget", max_connections=100)
    budget.share("one").limit(lambda_.Function(stack, "One", **code))
    pattern = "The stacks Stack, Other share it.* first those whose shares fall"
    assert not Annotations.from_stack(stack).find_info("*", Match.string_like_regexp(pattern))
    app = cdk.App()
    stack = cdk.Stack(app, "Stack")
    budget = ConnectionBudget(stack, "Budget", max_connections=100)
    for where in (stack, cdk.Stack(app, "Other")):
        budget.share(where.stack_name).limit(lambda_.Function(where, "Function", **code))
    Annotations.from_stack(stack).has_info("/Stack/Budget", Match.string_like_regexp(pattern))
