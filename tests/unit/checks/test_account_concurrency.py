from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from aws_cdk import App, Environment, Stack, Stage

from cdk_breakwater.checks import check, read
from cdk_breakwater.checks.rules.account_concurrency import RULE

from .stacks import function

if TYPE_CHECKING:
    from collections.abc import Callable

    from .conftest import Findings


def reserving(concurrency: int) -> Callable[[Stack], object]:
    return lambda stack: function(stack, reserved_concurrent_executions=concurrency)


def test_more_than_the_account_can_grant(findings: Findings) -> None:
    (finding,) = findings(RULE, reserving(500), reserving(401))
    assert finding.resource.name == "Stack0/Function"
    assert finding.problem == ("2 functions reserve a concurrency of 901; a quota of 1000 lets 900 be reserved.")


def test_a_new_account_can_reserve_nothing(findings: Findings) -> None:
    (finding,) = findings(RULE, reserving(1), account_concurrency=10)
    assert finding.problem.endswith("a quota of 10 lets 0 be reserved.")
    assert findings(RULE, function, account_concurrency=10) == []


def test_within_the_quota(findings: Findings) -> None:
    assert findings(RULE, reserving(500), reserving(400)) == []
    assert findings(RULE, reserving(4000), account_concurrency=5000) == []


def test_each_account_region_and_stage_has_a_quota(tmp_path: Path) -> None:
    app = App(outdir=str(tmp_path))
    for region in ("eu-west-1", "eu-central-1"):
        reserving(900)(Stack(app, region, env=Environment(account="123456789012", region=region)))
    for stage in ("Test", "Production"):
        reserving(900)(Stack(Stage(app, stage), "Stack"))
    stacks = app.synth().stacks_recursively
    assert len(stacks) == 4
    assert check(read(Path(stack.template_full_path) for stack in stacks), [RULE]).findings == []
