"""The reference app's templates, in both variants: as they were read and meant, and clean in every linter."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import app as reference_app
import aws_cdk as cdk
import pytest
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from syrupy.assertion import SnapshotAssertion

from .conftest import ROOT, Assembly, masked, synthesize

PACKS = {"AwsSolutions", "Serverless", "HIPAA.Security", "NIST.800.53.R5", "PCI.DSS.321"}


@pytest.fixture(scope="module", params=["private", "public"])
def assembly(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    context = {"public": "true"} if request.param == "public" else {}
    return synthesize(ROOT / "app.py", tmp_path_factory.mktemp(request.param), context)


def test_template(assembly: Assembly, template_snapshot: SnapshotAssertion) -> None:
    assert masked(assembly.template("Shop")) == template_snapshot


def test_cdk_nag_found_nothing(assembly: Assembly) -> None:
    assert not [name for name, conclusion in reports(assembly.folder).items() if conclusion != "success"]


def test_cdk_nag_would_have_found_something(tmp_path: Path) -> None:
    app = cdk.App(outdir=str(tmp_path))
    stack = cdk.Stack(app, "Stack")
    sqs.Queue(stack, "Queue")
    lambda_.Function(
        stack,
        "Function",
        code=lambda_.Code.from_inline("def handler(event, context): pass"),
        handler="index.handler",
        runtime=lambda_.Runtime.PYTHON_3_10,
    )
    reference_app.add_nag_packs(app)
    with pytest.raises(RuntimeError, match="ValidationFailed"):
        app.synth()
    assert {name for name, conclusion in reports(tmp_path).items() if conclusion == "failure"} == PACKS


def reports(folder: Path) -> dict[str, str]:
    report = json.loads((folder / "validation-report.json").read_text(encoding="utf-8"))
    return {plugin["pluginName"]: plugin["conclusion"] for plugin in report["pluginReports"]}


def test_cfn_lint(assembly: Assembly) -> None:
    assert assembly.template_files
    # W3005: the CDK writes each dependency, those that a GetAtt implies as well.
    subprocess.run(
        [Path(sys.executable).with_name("cfn-lint"), "--ignore-checks", "W3005", "--", *assembly.template_files],
        check=True,
    )


def test_plan_shows_every_share(assembly: Assembly) -> None:
    command = [Path(sys.executable).with_name("breakwater"), "plan", assembly.folder]
    shown = subprocess.run(command, check=True, capture_output=True, text=True, env={"COLUMNS": "160"}).stdout
    assert "Shop/Database  max_connections 80 (max_connections in the parameter group)" in shown
    assert "(80 − 12 reserved − 0 external) × 0.8 = 54 to share" in shown
    rows = [
        [cell.strip() for cell in line.split("│")[1:4]]
        for line in shown.splitlines()
        if "Shop/" in line and "│" in line
    ]
    assert rows == [
        ["Shop/Migration", "1", "1"],
        ["Shop/Reader", "17", "17"],
        # makes the users of the two
        ["Shop/DatabaseAdministration14f6dc52/Function", "1", "1"],
        ["Shop/Writer", "35", "35"],
    ]
