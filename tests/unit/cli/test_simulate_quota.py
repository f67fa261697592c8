"""`breakwater simulate` of a template with a quota of a third party."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cdk_breakwater.cli.main import app

# The template of the reference app, as the CDK has made it.
REFERENCE = Path(__file__).parents[2] / "snapshot/__snapshots__/test_reference_app/test_template[private].json"
SETTINGS: dict[str, Any] = {
    "name": "Shop/Crm",
    "function": "${Caller.Arn}",
    "parallelism": 20,
    "longest_call": 24_000,
    "max_attempts": 3,
    "ordered": False,
    "tiers": [{"limit": 20, "period": 1_000}, {"limit": 150, "period": 10_000}],
}
TEMPLATE = """\
Parameters: {{Granted: {{Type: Number}}}}
Resources:
  Db: {{Type: AWS::RDS::DBInstance, Properties: {{Engine: mariadb, DBInstanceClass: db.t4g.micro}}}}
  Caller:
    Type: AWS::Lambda::Function
    Properties:
      Timeout: 10
      Environment: {{Variables: {{DB_HOST: !GetAtt Db.Endpoint.Address, BREAKWATER_ACQUIRE: a}}}}
  Intake:
    Type: AWS::Lambda::Function
    Properties: &own
      Handler: quota_dispatcher.intake.handler
      Environment: {{Variables: {{BREAKWATER_QUOTA: !Sub '{settings}'}}}}
  Dispatcher:
    Type: AWS::Lambda::Function
    Properties: {{<<: *own, Handler: quota_dispatcher.dispatcher.handler, MemorySize: 512}}
  Queue: {{Type: AWS::SQS::Queue}}
  Mapping:
    Type: AWS::Lambda::EventSourceMapping
    Properties:
      FunctionName: !Ref Intake
      EventSourceArn: !GetAtt Queue.Arn
      BatchSize: 100
      MaximumBatchingWindowInSeconds: 1
"""


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["simulate", *map(str, arguments)], catch_exceptions=False)


def run_json(*arguments: str | Path) -> dict[str, Any]:
    return json.loads(run(*arguments, "--format", "json").stdout)


def write(path: Path, **settings: Any) -> Path:
    path = path / "quota.yaml"
    path.write_text(TEMPLATE.format(settings=json.dumps(SETTINGS | settings)))
    return path


def test_the_template_that_the_construct_makes() -> None:
    (result,) = run_json(REFERENCE, "--load", "Announcements=spike:200")["runs"]
    quota = result["entries"]["Shop/Announcements"]
    assert result["entries"].keys() == {"Shop/Announcements"}
    assert (quota["kind"], quota["called"], quota["done"], quota["limited"]) == ("quota", 200, 200, 0)
    assert {name: tier["peak"] for name, tier in quota["tiers"].items() if " per " in name} == {
        "10 per 1 s": 10,
        "5,000 per 1 d": 200,
    }
    # 20 rounds of 10 calls, each of which holds its place for 0.2 s and a second; the first begins cold.
    assert result["drained"] == pytest.approx(19 * 1.2 + 0.2 + 1, rel=0.05)
    assert result["bindings"][0]["limit"] == "10 per 1 s"


def test_what_a_quota_says_and_leaves_out(tmp_path: Path) -> None:
    result = run(
        write(tmp_path, key="$.tenant", key_tiers=[], ordered=True), "--load", "spike:600", "--max-connections=50"
    )
    text = " ".join(result.stdout.split())
    assert result.exit_code == 0
    assert "Shop/Crm: 600 calls, at the most 20 of 20 per 1 s, 150 of 150 per 10 s; none is answered" in text
    assert "The first limit that binds, after 0 s: 20 per 1 s (Shop/Crm): up to 580 messages wait" in text
    assert "150 per 10 s (Shop/Crm)" in text
    assert "keys are not told apart" in text
    assert "Caller: the slots that it takes itself are not counted in a quota" in text
    assert "Intake" not in text


def test_the_dispatchers_own_limits_are_not_taken_for_the_tiers(tmp_path: Path) -> None:
    template = write(tmp_path, tiers=[{"limit": 100, "period": 60_000}])
    text = " ".join(run(template, "--load", "spike:150", "--cold-start", "0s").stdout.split())
    assert "parallelism 20 (Shop/Crm): calls wait for it while no tier is full." in text
    # Filed after 1 s, called for 0.2 s, and a minute until the first places are free again.
    assert "100 per 1 min (Shop/Crm): up to 130 messages wait, for up to 61" in text


def test_a_quota_that_is_not_done_in_time(tmp_path: Path) -> None:
    template = write(tmp_path, tiers=[{"limit": 5, "period": 86_400_000}])
    stopped = " ".join(run(template, "--load", "spike:12", "--patience", "1h").stdout.split())
    assert "Shop/Crm: 5 calls, at the most 5 of 5 per 1 d; none is answered with a 429." in stopped
    assert "up to 12 messages wait, for up to 60 min 00 s." in stopped
    assert "7 are still not done. Shop/Crm: its tiers need another 24 h 00 min for those that wait." in stopped
    assert "All is done after 48 h 00 min." in run(template, "--load", "spike:12").stdout
    long = " ".join(run(template, "--load", "spike:10000").stdout.split())
    assert "After 60 min 00 s, 9,995 are still not done." in long
    assert "its tiers need another 1998 d 00 h" in long


def test_the_same_where_nobody_waits(tmp_path: Path) -> None:
    template = write(tmp_path)
    own, without = run_json(template, "--load", "spike:600", "--max-connections=1000", "--without-limits")["runs"]
    assert (own["entries"]["Shop/Crm"]["limited"], own["harmful"]) == (0, False)
    assert without["entries"]["Shop/Crm"]["limited"] > 1_000
    assert (without["entries"]["Shop/Crm"]["lost"] > 100, without["harmful"]) == (True, True)
    page = tmp_path / "page.html"
    assert run(template, "--load", "spike:60", "--max-connections=1000", "--html", page).exit_code == 0
    assert "150 granted" in page.read_text()


def test_what_messages_weigh(tmp_path: Path) -> None:
    tiers = [{"limit": 1_000, "period": 60_000, "weight": "$.tokens"}, {"limit": 500, "period": 60_000, "zone": "UTC0"}]
    burst = (write(tmp_path, tiers=tiers), "--load", "spike:20", "--max-connections", "50")
    assert "taken for 1, or for what --weight says" in " ".join(run(*burst).stdout.split())
    heavy = run_json(*burst, "--weight", "Crm=100")["runs"][0]
    # Filed after a second, a cold call, a minute, what the dispatcher rounds up (a 64th of it at most), another call.
    assert 1 + 1.2 + 60 + 0.2 <= heavy["drained"] <= 1 + 1.2 + 60 + 60 / 64 + 0.2 + 0.01
    assert heavy["bindings"][0]["limit"] == "1,000 of $.tokens per 1 min"
    assert "500 per 1 min by the calendar" in heavy["entries"]["Shop/Crm"]["tiers"]
    refused = run(*burst, "--weight", "1001")
    assert (refused.exit_code, "a message of 1001 is never called" in refused.stderr) == (2, True)


def test_messages_that_fail_and_a_database_that_is_full(tmp_path: Path) -> None:
    template = write(tmp_path)
    failing = run_json(template, "--load", "spike:100", "--failing", "Crm=10%", "--max-connections=50")["runs"][0]
    quota = failing["entries"]["Shop/Crm"]
    assert (quota["done"], quota["lost"], quota["called"]) == (90, 10, 90 + 3 * 10)
    assert failing["harmful"]
    assert run(template, "--load", "spike:100", "--max-connections=2").exit_code == 1


@pytest.mark.parametrize(
    "settings",
    [
        {"tiers": []},
        {"tiers": "many"},
        {"tiers": [{"limit": "x", "period": 1_000}]},
        {"tiers": [{"limit": 0, "period": 1_000}]},
        {"tiers": [{"limit": 5, "period": 0}]},
        {"tiers": [{"limit": 5, "period": 1e300}]},
        {"tiers": [{"limit": "${Granted}", "period": 1_000}]},
        {"tiers": [5]},
        {"parallelism": None},
        {"function": "${Db}"},
    ],
)
def test_what_is_no_quota_is_said(settings: dict[str, Any], tmp_path: Path) -> None:
    result = run(write(tmp_path, **settings), "--load", "spike:10")
    assert (result.exit_code, "what its quota grants is known at deployment only" in result.stdout) == (0, True)
