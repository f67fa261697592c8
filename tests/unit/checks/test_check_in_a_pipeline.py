"""`breakwater check` where nobody looks on: a hook, a workflow, a packaged service, a narrow terminal, a time limit."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from importlib.metadata import requires
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml
from rich.console import Console
from typer.testing import CliRunner

from cdk_breakwater.checks import RULES, check
from cdk_breakwater.cli.check_report import report_table
from cdk_breakwater.cli.check_sources import Sources
from cdk_breakwater.cli.main import app

if TYPE_CHECKING:
    from typer.testing import Result

    from cdk_breakwater.checks import Rule

ROOT = Path(__file__).parents[3]
QUEUE_WITHOUT_DEAD_LETTERS = {
    "Resources": {
        "OrdersThatWaitForTheWarehouse": {"Type": "AWS::SQS::Queue"},
        "Work": {"Type": "AWS::Lambda::Function"},
        "Mapping": {
            "Type": "AWS::Lambda::EventSourceMapping",
            "Properties": {
                "FunctionName": {"Ref": "Work"},
                "EventSourceArn": {"Fn::GetAtt": ["OrdersThatWaitForTheWarehouse", "Arn"]},
                "FunctionResponseTypes": ["ReportBatchItemFailures"],
            },
        },
    }
}


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["check", *map(str, arguments)], catch_exceptions=False)


def sleep_for_long(*_: object) -> None:
    time.sleep(60)


def ran_in(folder: Path, *command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(list(command), cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
def template(tmp_path: Path) -> Path:
    (tmp_path / "template.json").write_text(json.dumps(QUEUE_WITHOUT_DEAD_LETTERS))
    return tmp_path / "template.json"


def test_a_time_limit_ends_with_a_line(template: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cdk_breakwater.cli.check.check", sleep_for_long)
    started = time.monotonic()
    result = run(template, "--time-limit", "1")
    assert time.monotonic() - started < 30
    assert result.exit_code == 2
    message = "It took longer than 1 s: name fewer files, or raise --time-limit."
    assert " ".join(result.stderr.split()) == message
    assert run(template, "--time-limit", "0").exit_code == 2


def test_the_hook_of_pre_commit(template: Path) -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    names = ["template.yaml", "sam/template.yml", "cdk.out/Shop.template.json", "package.json", "serverless.yml"]
    assert [name for name in names if re.search(hook["files"], name)] == names[:3]
    assert hook["language"] == "python"
    required = (each.partition(";") for each in requires("cdk-breakwater") or [])
    extra = [requirement.strip() for requirement, _, marker in required if "cli" in marker]
    assert sorted(hook["additional_dependencies"]) == sorted(extra)
    command, *arguments = hook["entry"].split()
    executable = Path(sys.executable).with_name(command)
    ran = ran_in(template.parent, executable, *arguments, template.name)
    assert ran.returncode == 1
    assert "QueueDeadLetterQueue" in ran.stdout


def test_the_step_of_a_workflow(template: Path) -> None:
    (step,) = re.findall(
        r"As a step of a GitHub workflow:\n\n```yaml\n(.*?)```", (ROOT / "docs/checks.md").read_text(), re.DOTALL
    )
    install, command = (each["run"] for each in yaml.safe_load(step))
    assert install == 'pip install "cdk-breakwater[cli]"'
    name, *arguments = command.split()
    executable = shutil.which(name, path=str(Path(sys.executable).parent))
    assert executable
    ran = ran_in(template.parent, executable, *arguments)
    assert ran.returncode == 1
    assert ran.stdout.startswith("::error file=template.json,line=1,title=QueueDeadLetterQueue::")


def test_what_the_serverless_framework_packages(tmp_path: Path) -> None:
    packaged = tmp_path / ".serverless"
    packaged.mkdir()
    bucket = {"Resources": {"ServerlessDeploymentBucket": {"Type": "AWS::S3::Bucket"}}}
    (packaged / "cloudformation-template-create-stack.json").write_text(json.dumps(bucket))
    update = {"Resources": bucket["Resources"] | QUEUE_WITHOUT_DEAD_LETTERS["Resources"]}
    (packaged / "cloudformation-template-update-stack.json").write_text(json.dumps(update))
    state = {"service": {"provider": {"compiledCloudFormationTemplate": update}}, "functions": ["Work"]}
    (packaged / "serverless-state.json").write_text(json.dumps(state))
    (tmp_path / "serverless.yml").write_text("service: orders\nprovider: {name: aws}\nresources: {Resources: {}}\n")
    result = run(tmp_path, "--format", "json")
    assert result.exit_code == 1
    (finding,) = json.loads(result.stdout)["findings"]
    assert (finding["rule"], finding["file"].rsplit("/", 1)[-1]) == (
        "QueueDeadLetterQueue",
        "cloudformation-template-update-stack.json",
    )


@pytest.mark.parametrize("width", [40, 80])
def test_a_narrow_terminal(width: int, template: Path) -> None:
    sources = Sources(1000, {})
    sources.read([template])
    found = [each for assembly in sources.assemblies for each in check(assembly).findings]
    console = Console(file=StringIO(), width=width)
    console.print(report_table(found, lambda _: "template.json:1", all_rows=False))
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert max(map(len, lines)) <= width
    text = " ".join("".join(f"{line} " for line in lines).split())
    assert "OrdersThatWaitForTheWarehouse, read by Work, has no dead-letter queue." in text
    assert "(template.json:1)" in text


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_each_rule_is_explained(rule: Rule) -> None:
    result = run("--explain", rule.id)
    text = " ".join(result.stdout.split())
    assert result.exit_code == 0
    for part in (rule.id, rule.requires, f"Otherwise: {rule.reason}", f"Remedy: {rule.fix}"):
        assert " ".join(part.split()) in text
    assert rule.link in result.stdout.replace("\n", "")
