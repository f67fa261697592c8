"""The package as Python sees it: what is exported, what an import costs, and PyPI's constructs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from aws_cdk import aws_lambda as lambda_

import cdk_breakwater
from cdk_breakwater.functions.options import FunctionOptions

ROOT = Path(__file__).parents[2]


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True).stdout


def test_pypis_constructs_stays_importable_from_the_root() -> None:
    assert not (ROOT / "constructs" / "__init__.py").exists()
    assert "site-packages" in run("import constructs; print(constructs.__file__)")


@pytest.mark.parametrize("name", cdk_breakwater.__all__)
def test_every_public_name_can_be_had(name: str) -> None:
    assert getattr(cdk_breakwater, name).__doc__


def test_what_is_not_there_says_so() -> None:
    with pytest.raises(AttributeError, match="module 'cdk_breakwater' has no attribute 'Nothing'"):
        cdk_breakwater.Nothing  # noqa: B018 -- the module raises


def test_importing_the_package_loads_no_cdk() -> None:
    assert "aws_cdk" not in run("import sys, cdk_breakwater; print(*sys.modules)").split()


def test_a_budget_alone_loads_neither_rds_nor_lambda() -> None:
    loaded = run("import sys; from cdk_breakwater import ConnectionBudget; print(*sys.modules)").split()
    assert "aws_cdk.aws_rds" not in loaded
    assert "aws_cdk.aws_lambda" not in loaded


def test_the_commands_plan_loads_no_cdk() -> None:
    assert "aws_cdk" not in run("import sys, cdk_breakwater.cli.plan; print(*sys.modules)").split()


def test_function_options_are_the_l2s_props() -> None:
    asked_or_derived = {"code", "handler", "runtime", "vpc", "vpc_subnets", "reserved_concurrent_executions"}
    props = {name for name in lambda_.FunctionProps.__init__.__annotations__ if name != "return"}
    assert set(FunctionOptions.__annotations__) == props - asked_or_derived
