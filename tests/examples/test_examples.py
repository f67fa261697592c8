"""Every example is synthesized as it stands, with the five packs of cdk-nag on, and linted."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
from cfnlint.api import lint_by_config
from cfnlint.config import ManualArgs
from typer.testing import CliRunner
from website import diagrams

from cdk_breakwater.cli.main import app
from tests.examples import synthesis

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
PACKS = ("AwsSolutions", "Serverless", "HIPAA.Security", "NIST.800.53.R5", "PCI.DSS.321")

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


@pytest.fixture(scope="session")
def synthesize() -> Iterator[Callable[[Path, Path], None]]:
    """A function that synthesizes an example into a folder, and raises what the example raises."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context, synthesis.begin) as process:
        yield lambda example, folder: process.submit(synthesis.synthesize, example, folder).result()


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


def test_the_packs_would_have_found_something(tmp_path: Path, synthesize: Callable[[Path, Path], None]) -> None:
    example = tmp_path / "faulty.py"
    example.write_text(FAULTY, encoding="utf-8")
    with pytest.raises(RuntimeError, match="ValidationFailed"):
        synthesize(example, tmp_path / "cdk.out")
    assert conclusions(tmp_path / "cdk.out") == dict.fromkeys(PACKS, "failure")


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.stem)
def test_example(example: Path, tmp_path: Path, synthesize: Callable[[Path, Path], None]) -> None:
    synthesize(example, tmp_path)
    assert set(conclusions(tmp_path).values()) <= {"success"}
    templates = sorted(tmp_path.rglob("*.template.json"))
    assert templates
    # W3005: the CDK writes each dependency, those that a GetAtt implies as well. E3620: cfn-lint's list of DocumentDB's
    # classes lacks db.serverless (Amazon DocumentDB Developer Guide, "Using DocumentDB serverless").
    assert linted(templates, ignored=["W3005", "E3620"]) == []
    if example.stem in diagrams.PICTURES:
        picture = diagrams.path(example.stem)
        assert picture.read_text(encoding="utf-8") == diagrams.drawn(example.stem, tmp_path), "make docs-tables"
    checked = CliRunner().invoke(app, ["check", str(tmp_path)], catch_exceptions=False)
    assert checked.exit_code == 0, checked.output
