"""Every example is synthesized as it stands, with the five packs of cdk-nag on, and linted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cfnlint.api import lint_by_config
from cfnlint.config import ManualArgs

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
PACKS = ("AwsSolutions", "Serverless", "HIPAA.Security", "NIST.800.53.R5", "PCI.DSS.321")

# The example's own `app.synth()`, with the reference app's packs on.
WITH_PACKS = """
import runpy, sys
import aws_cdk
from app import add_nag_packs
synth = aws_cdk.App.synth
def with_packs(app):
    add_nag_packs(app)
    return synth(app)
aws_cdk.App.synth = with_packs
runpy.run_path(sys.argv[1], run_name="__main__")
"""


# What the packs find at least one fault in each.
FAULTY = """
import aws_cdk as cdk
from aws_cdk import aws_lambda as lambda_
app = cdk.App()
stack = cdk.Stack(app, "Stack")
code = lambda_.Code.from_inline("def handler(event, context): pass")
lambda_.Function(stack, "Function", code=code, handler="index.handler", runtime=lambda_.Runtime.PYTHON_3_10)
app.synth()
"""


def synthesize(example: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    context = json.loads((ROOT / "cdk.json").read_text(encoding="utf-8"))["context"]
    environment = {**os.environ, "CDK_OUTDIR": str(folder), "CDK_CONTEXT_JSON": json.dumps(context)}
    environment["CDK_VALIDATION"] = "true"
    command = [sys.executable, "-c", WITH_PACKS, example]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def conclusions(folder: Path) -> dict[str, str]:
    # A plugin that found nothing at all is not in the report.
    report = json.loads((folder / "validation-report.json").read_text(encoding="utf-8"))
    return {plugin["pluginName"]: plugin["conclusion"] for plugin in report["pluginReports"]}


def linted(templates: list[Path], ignored: list[str]) -> list[str]:
    """Lint in this process: the program takes longer to load CloudFormation's schemas than to read a template."""
    found = lint_by_config(ManualArgs(templates=[str(template) for template in templates], ignore_checks=ignored))
    return [f"{match.rule.id} {match.filename}: {match.message}" for match in found]


def test_the_linter_would_have_found_something(tmp_path: Path) -> None:
    template = tmp_path / "faulty.template.json"
    faulty = {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": "soon"}}
    template.write_text(json.dumps({"Resources": {"Queue": faulty}}), encoding="utf-8")
    assert "E3012" in linted([template], ignored=[])[0]


def test_the_packs_would_have_found_something(tmp_path: Path) -> None:
    example = tmp_path / "faulty.py"
    example.write_text(FAULTY, encoding="utf-8")
    assert synthesize(example, tmp_path / "cdk.out").returncode != 0
    assert conclusions(tmp_path / "cdk.out") == dict.fromkeys(PACKS, "failure")


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.stem)
def test_example(example: Path, tmp_path: Path) -> None:
    done = synthesize(example, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert set(conclusions(tmp_path).values()) <= {"success"}
    templates = sorted(tmp_path.glob("*.template.json"))
    assert templates
    # W3005: the CDK writes each dependency, those that a GetAtt implies as well. E3620: cfn-lint's list of DocumentDB's
    # classes lacks db.serverless (Amazon DocumentDB Developer Guide, "Using DocumentDB serverless").
    assert linted(templates, ignored=["W3005", "E3620"]) == []
