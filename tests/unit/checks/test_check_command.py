"""`breakwater check` as a person, a pre-commit hook and a workflow call it."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import boto3
import pytest
from botocore.stub import Stubber
from typer.testing import CliRunner

from cdk_breakwater.cli.main import app

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from typer.testing import Result

BAD = """\
Parameters:
  Seconds: {Type: Number, Default: 30}
Resources:
  Dead:
    Type: AWS::SQS::Queue
    Properties: {MessageRetentionPeriod: 1209600}
  Orders:
    Type: AWS::SQS::Queue
    Properties:
      RedrivePolicy: {deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 5}
      VisibilityTimeout: !Ref Seconds
  Work:
    Type: AWS::Lambda::Function
    Properties: {Timeout: 10}
  Mapping:
    Type: AWS::Lambda::EventSourceMapping
    Properties:
      FunctionName: !Ref Work
      EventSourceArn: !GetAtt Orders.Arn
      FunctionResponseTypes: [ReportBatchItemFailures]
"""
SAM = """\
Transform: AWS::Serverless-2016-10-31
Globals: {Function: {Timeout: 10, Runtime: python3.13, Handler: app.handler}}
Resources:
  Orders:
    Type: AWS::SQS::Queue
  Work:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: src/
      Events:
        Queue: {Type: SQS, Properties: {Queue: !GetAtt Orders.Arn}}
"""


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["check", *map(str, arguments)], catch_exceptions=False)


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    (tmp_path / "template.yaml").write_text(BAD)
    return tmp_path / "template.yaml"


def test_findings(bad: Path) -> None:
    result = run(bad)
    assert result.exit_code == 1
    assert "loses messages · QueueVisibilityTimeout · 1" in result.stdout
    assert "30 s → 60 s: Orders has a visibility timeout of 30 s" in result.stdout
    assert "By the default of Seconds." in result.stdout
    assert f"{bad.as_posix()}:11" in result.stdout.replace("\n", "")


def test_clean(bad: Path) -> None:
    result = run(bad, "--parameter", "Seconds=60")
    assert (result.exit_code, result.stdout) == (0, "0 findings in 1 template.\n")
    (bad.parent / "p.json").write_text(
        '[{"ParameterKey": "Seconds", "ParameterValue": "60"}, {"ParameterKey": "Old", "UsePreviousValue": true}]'
    )
    assert run(bad, "--parameter-file", bad.parent / "p.json").exit_code == 0


@pytest.mark.parametrize("name", ["Second", "Region", "AWS::Region"])
def test_a_parameter_that_no_template_has(bad: Path, name: str) -> None:
    result = run(bad, "--parameter", "Seconds=60", "--parameter", f"{name}=50")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"--parameter: no template has a parameter {name!r}.")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"\x00\xff\xfe", "not UTF-8 text"),
        (b"a: [", "line 2"),
        (b"[]", "not a template"),
        (b"Resources: {A: {B: c}}", "no resources with a type"),
        (b"a: &a [*a]\nResources: {A: {Type: b}}", "alias refers to what it is part of"),
        (b"[" * 100_000, "nests too deeply"),
        (b"", "empty"),
    ],
)
def test_what_can_not_be_read_is_one_line(content: bytes, problem: str, bad: Path) -> None:
    (bad.parent / "odd.yaml").write_bytes(content)
    result = run(bad.parent / "odd.yaml", bad)
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert problem in line
    assert "Orders" in result.stdout


def test_a_folder_without_a_template_is_not_called_clean(tmp_path: Path) -> None:
    (tmp_path / "cdk.out").write_text("{}", encoding="utf-8")  # what a synth that failed leaves behind
    (tmp_path / "package.json").write_text("{}", encoding="utf-8")
    result = run(tmp_path)
    assert result.exit_code == 2
    assert f"{tmp_path}: no template in it" in result.stderr.replace("\n", "")


def test_aliases_that_stand_for_more_than_any_template(bad: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    bad.write_text("\n".join(lines))
    result = run(bad)
    assert result.exit_code == 2
    assert "aliases stand for more than" in result.stderr


def test_sam_is_expanded_by_its_translator(tmp_path: Path) -> None:
    (tmp_path / "template.yaml").write_text(SAM)
    result = run(tmp_path, "--format", "json")
    found = {(each["rule"], each["resource"], each["line"]) for each in json.loads(result.stdout)["findings"]}
    assert {
        ("QueueVisibilityTimeout", "Orders", 4),
        ("QueueDeadLetterQueue", "Orders", 4),
        ("BatchItemFailures", "WorkQueue", 6),
    } <= found


def test_sam_includes_and_loops_are_written_out_first(tmp_path: Path) -> None:
    (tmp_path / "api.yaml").write_text(
        "openapi: 3.0.1\npaths: {/a: {get: {x-amazon-apigateway-integration: {timeoutInMillis: 60000}}}}"
    )
    (tmp_path / "template.yaml").write_text("""\
Transform: [AWS::LanguageExtensions, AWS::Serverless-2016-10-31]
Globals: {Function: {Timeout: 45, Runtime: python3.13, Handler: app.handler, CodeUri: src/}}
Resources:
  Known: &api
    Type: AWS::Serverless::Api
    Properties:
      StageName: prod
      Cors: {AllowOrigin: "'*'"}
      DefinitionBody: {Fn::Transform: {Name: AWS::Include, Parameters: {Location: api.yaml}}}
  Unknown:
    Type: AWS::Serverless::Api
    Properties:
      StageName: prod
      Cors: {AllowOrigin: "'*'"}
      DefinitionBody: {Fn::Transform: {Name: AWS::Include, Parameters: {Location: s3://a/b}}}
  Fn::ForEach::Works:
    - Api
    - [Known, Unknown]
    - Work${Api}:
        Type: AWS::Serverless::Function
      Queue${Api}:
        Type: AWS::SQS::Queue
      May${Api}:
        Type: AWS::Lambda::Permission
        Properties:
          Principal: apigateway.amazonaws.com
          FunctionName: !Ref Work${Api}
          SourceArn: !Sub "arn:aws:execute-api:${AWS::Region}:${AWS::AccountId}:${${Api}}/*"
  Slow: {Type: AWS::Serverless::Function, Properties: {Timeout: 70}}
  MaySlow:
    Type: AWS::Lambda::Permission
    Properties:
      Principal: apigateway.amazonaws.com
      FunctionName: !Ref Slow
      SourceArn: !Sub "arn:aws:execute-api:${AWS::Region}:${AWS::AccountId}:${Known}/*"
""")
    result = run(tmp_path / "template.yaml", "--rule", "ApiIntegrationTimeout", "--format", "json")
    assert [(each["resource"], each["found"]) for each in json.loads(result.stdout)["findings"]] == [("Slow", "70 s")]


def test_formats(bad: Path) -> None:
    run_ = json.loads(run(bad, "--format", "sarif").stdout)["runs"][0]
    assert run_["results"][0]["ruleId"] == "QueueVisibilityTimeout"
    assert run_["results"][0]["locations"][0]["physicalLocation"]["region"] == {"startLine": 11}
    suite = ElementTree.fromstring(run(bad, "--format", "junit").stdout)  # noqa: S314 -- its own output
    assert (suite.get("failures"), suite.get("errors")) == ("1", "0")
    assert run(bad, "--format", "github").stdout.startswith(f"::error file={bad.as_posix()},line=11,title=Queue")


def test_suppressed_with_a_reason(bad: Path) -> None:
    file = bad.parent / "settings.yaml"
    file.write_text("suppress: [{rule: QueueVisibilityTimeout, resource: Ord*, reason: idempotent}]")
    assert run(bad, "--settings", file).exit_code == 0
    file.write_text("severity: {QueueVisibilityTimeout: note}")
    assert run(bad, "--settings", file).exit_code == 0
    file.write_text("suppress: [{rule: QueueVisibilityTimeout}]")
    result = run(bad, "--settings", file)
    assert result.exit_code == 2
    assert "a suppression needs a rule and a reason" in " ".join(result.stderr.split())
    metadata = "    Metadata: {breakwater: {suppress: [{rule: QueueVisibilityTimeout, reason: idempotent}]}}\n"
    bad.write_text(BAD.replace("  Orders:\n", f"  Orders:\n{metadata}"))
    assert run(bad).exit_code == 0


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ("suppress: [{rule: NoSuch, reason: r}]", "there is no rule 'NoSuch'"),
        ("suppress: [{rule: '*', resources: Ord*, reason: r}]", "a suppression has no 'resources'"),
        ("suppress: {rule: BatchWindow, reason: r}", "suppress is not a list"),
        ("skips: [BatchWindow]", "there is no setting 'skips'"),
        ("severity: [BatchWindow]", "severity is not a mapping"),
        ("skip: BatchWindows", "there is no rule 'BatchWindows'"),
    ],
)
def test_settings_that_nobody_can_have_meant(settings: str, problem: str, bad: Path) -> None:
    file = bad.parent / "settings.yaml"
    file.write_text(settings)
    result = run(bad, "--settings", file)
    assert (result.exit_code, problem in " ".join(result.stderr.split())) == (2, True)


def test_one_rule_is_skipped_without_a_list(bad: Path) -> None:
    file = bad.parent / "settings.yaml"
    file.write_text("skip: QueueVisibilityTimeout")
    assert run(bad, "--settings", file).exit_code == 0
    file.write_text("suppress: [{rule: Queue*, reason: r}]")
    assert run(bad, "--settings", file).exit_code == 0


def test_only_what_is_wrong_is_named(bad: Path) -> None:
    stderr = " ".join(run(bad, "--severity", "bogus").stderr.split())
    assert "--severity: there is no 'bogus'." in stderr
    assert "table" not in stderr


def test_what_is_read_otherwise_than_one_may_think(tmp_path: Path) -> None:
    file = tmp_path / "template.yaml"
    file.write_text(
        "Resources:\n  Q: {Type: AWS::SQS::Queue}\n"
        "  Data: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: ./missing.yaml}}\n"
        "  Q: {Type: AWS::SNS::Topic}\n"
    )
    result = run(file)
    assert result.exit_code == 0
    assert f"{file}:4: Q is there twice, and this one is read" in result.stderr
    assert f"{file}: the template of Data is not at hand, and is not checked" in result.stderr


@pytest.mark.parametrize(
    "transform", ["AWS::LanguageExtensions", "[AWS::LanguageExtensions, AWS::Serverless-2016-10-31]"]
)
def test_a_loop_over_what_the_deployment_knows_is_not_called_clean(transform: str, tmp_path: Path) -> None:
    file = tmp_path / "template.yaml"
    file.write_text(f"""\
Transform: {transform}
Parameters: {{Names: {{Type: CommaDelimitedList}}}}
Resources:
  Topic: {{Type: AWS::SNS::Topic}}
  Fn::ForEach::Queues: [Name, !Ref Names, {{'Queue${{Name}}': {{Type: AWS::SQS::Queue}}}}]
""")
    result = run(file)
    assert (result.exit_code, "a Fn::ForEach was not read" in result.stderr) == (2, True)


def test_stacks_that_nest_each_other_are_read_once(bad: Path) -> None:
    other = "  B: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: b.yaml}}\n"
    bad.write_text(BAD + other)
    (bad.parent / "b.yaml").write_text(
        "Resources: {A: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: template.yaml}}}"
    )
    result = run(bad.parent)
    assert result.exit_code == 1
    assert "Orders has a visibility timeout" in result.stdout
    assert "in 2 templates." in result.stdout
    assert "nests a template that it is part of itself" in result.stderr


@pytest.mark.parametrize("content", ["[1]", '{"Parameters": [1]}', "5", "{", '[{"ParameterKey": "Seconds"}]'])
def test_a_file_that_holds_no_parameters(content: str, bad: Path) -> None:
    (bad.parent / "p.json").write_text(content)
    result = run(bad, "--parameter-file", bad.parent / "p.json")
    assert result.exit_code == 2
    assert "it holds no parameters" in " ".join(result.stderr.split())


def test_a_template_of_loops_alone_is_one(tmp_path: Path) -> None:
    (tmp_path / "topics.yaml").write_text("""\
Transform: AWS::LanguageExtensions
Parameters: {Names: {Type: CommaDelimitedList}}
Resources: {'Fn::ForEach::Topics': [Name, !Ref Names, {'${Name}': {Type: AWS::SNS::Topic}}]}
""")
    result = run(tmp_path)
    assert result.exit_code == 2
    assert "a Fn::ForEach was not read" in result.stderr
    assert run(tmp_path, "--parameter", "Names=a,b").exit_code == 0


def test_a_finding_of_an_implicit_api_is_at_its_event(tmp_path: Path) -> None:
    file = tmp_path / "template.yaml"
    file.write_text("""\
Transform: AWS::Serverless-2016-10-31
Resources:
  Work:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.13
      Handler: app.handler
      CodeUri: src/
      Events:
        Get: {Type: HttpApi, Properties: {Path: /a, Method: get}}
""")
    found = json.loads(run(file, "--rule", "ApiThrottling", "--format", "json").stdout)["findings"]
    assert [each["line"] for each in found] == [10]


def test_a_substitution_by_another_stack_s_export_is_that_stack_s_function(tmp_path: Path) -> None:
    (tmp_path / "work.yaml").write_text("""
Resources: {Fn: {Type: AWS::Lambda::Function, Properties: {ReservedConcurrentExecutions: 10}}}
Outputs: {F: {Value: !GetAtt Fn.Arn, Export: {Name: work}}}
""")
    (tmp_path / "machine.yaml").write_text("""
Resources:
  Fn: {Type: AWS::Lambda::Function, Properties: {}}
  S:
    Type: AWS::StepFunctions::StateMachine
    Properties:
      DefinitionSubstitutions: {F: !ImportValue work}
      DefinitionString: '{"States": {"One": {"Type": "Task", "Resource": "${F}"}}}'
""")
    found = json.loads(run(tmp_path, "--rule", "TaskRetry", "--format", "json").stdout)["findings"]
    assert [each["resource"] for each in found] == ["S"]


def test_a_baseline_that_can_not_be_written(bad: Path) -> None:
    result = run(bad, "--write-baseline", bad.parent / "gone" / "baseline.json")
    assert result.exit_code == 2
    assert "it can't be written (No such file or directory)" in " ".join(result.stderr.split())


def test_a_baseline_lets_only_new_findings_fail(bad: Path) -> None:
    baseline = bad.parent / "baseline.json"
    assert run(bad, "--write-baseline", baseline).exit_code == 0
    assert run(bad, "--baseline", baseline).exit_code == 0
    bad.write_text(BAD.replace("1209600", "60"))
    assert run(bad, "--baseline", baseline).exit_code == 1


def test_a_baseline_knows_a_deployment_after_a_change_of_its_api(tmp_path: Path) -> None:
    file, baseline = tmp_path / "template.yaml", tmp_path / "baseline.json"
    deployment = "Resources: {D%s: {Type: AWS::ApiGateway::Deployment, Properties: {StageName: prod, RestApiId: a}}}"
    file.write_text(deployment % "eployment0123456789")
    assert "ApiThrottling" in run(file).stdout
    assert run(file, "--write-baseline", baseline).exit_code == 0
    file.write_text(deployment % "eploymentabcdef0123")
    assert "ApiThrottling" not in run(file, "--baseline", baseline).stdout


def test_rules_can_be_chosen_and_explained(bad: Path) -> None:
    assert run(bad, "--skip", "QueueVisibilityTimeout").exit_code == 0
    assert run(bad, "--rule", "BatchItemFailures").exit_code == 0
    assert "six" not in run("--explain", "MapConcurrency").stdout
    assert "Remedy: Set MaxConcurrency" in run("--explain", "MapConcurrency").stdout
    assert run(bad, "--rule", "Gone").exit_code == 2


def test_three_hundred_ordinary_resources_fit_on_a_page(tmp_path: Path) -> None:
    resources: dict[str, Any] = {}
    for n in range(75):
        resources[f"Queue{n}"] = {"Type": "AWS::SQS::Queue"}
        resources[f"Fn{n}"] = {"Type": "AWS::Lambda::Function", "Properties": {"Timeout": 30}}
        resources[f"Mapping{n}"] = {
            "Type": "AWS::Lambda::EventSourceMapping",
            "Properties": {"FunctionName": {"Ref": f"Fn{n}"}, "EventSourceArn": {"Fn::GetAtt": [f"Queue{n}", "Arn"]}},
        }
        resources[f"Stage{n}"] = {"Type": "AWS::ApiGateway::Stage", "Properties": {"StageName": "prod"}}
    (tmp_path / "template.json").write_text(json.dumps({"Resources": resources}))
    assert 5 < len(run(tmp_path).stdout.splitlines()) < 60


def test_a_deployed_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    cloudformation = boto3.client("cloudformation", region_name="eu-west-1")
    functions = boto3.client("lambda", region_name="eu-west-1")

    asked: list[dict[str, object]] = []

    class Session:
        def __init__(self, **options: object) -> None:
            asked.append(options)

        def client(self, name: str) -> object:
            return cloudformation if name == "cloudformation" else functions

    monkeypatch.setattr(boto3, "Session", Session)
    stack = {
        "StackName": "shop",
        "StackId": "arn:aws:cloudformation:eu-west-1:123456789012:stack/shop/1",
        "CreationTime": "2026-01-01T00:00:00Z",
        "StackStatus": "CREATE_COMPLETE",
        "Parameters": [{"ParameterKey": "Seconds", "ParameterValue": "40"}],
    }
    with Stubber(cloudformation) as stubs, Stubber(functions) as denied:
        denied.add_client_error("get_account_settings", "AccessDeniedException")
        stubs.add_client_error("get_template", "AccessDenied", "not you")
        wanted = {"StackName": "shop", "TemplateStage": "Processed"}
        stubs.add_response("get_template", {"TemplateBody": BAD}, wanted)
        stubs.add_response("describe_stacks", {"Stacks": [stack]}, {"StackName": "shop"})
        result = run("--stack", "hidden", "--stack", "shop", "--profile", "production", "--region", "eu-west-1")
    assert asked == [{"profile_name": "production", "region_name": "eu-west-1"}]
    assert result.exit_code == 2
    line, quota = result.stderr.splitlines()
    assert line.startswith("hidden: ")
    assert "not you" in line
    assert "lambda:GetAccountSettings" in quota
    assert "40 s → 60 s" in result.stdout


ELSEWHERE = """\
Parameters: {Class: {Type: "AWS::SSM::Parameter::Value<String>"}}
Resources:
  Db:
    Type: AWS::RDS::DBInstance
    Properties: {Engine: mysql, DBInstanceClass: !Ref Class, DBParameterGroupName: house-rules}
  Writer:
    Type: AWS::Lambda::Function
    Properties:
      Timeout: 10
      ReservedConcurrentExecutions: 50
      Environment: {Variables: {DB_HOST: !GetAtt Db.Endpoint.Address}}
"""


@pytest.mark.parametrize(
    ("value", "finding"),
    [
        ("40", "max_connections 40, max_connections in the parameter group, by the account"),
        ("{DBInstanceClassMemory/25165760}", "estimated from max_connections in the parameter group, by the account"),
        ("400", None),
        (None, None),  # MySQL's own default on a class with 4 GiB
    ],
)
def test_the_account_tells_what_a_template_does_not(
    monkeypatch: pytest.MonkeyPatch, value: str | None, finding: str | None
) -> None:
    class_ = "db.t4g.micro" if finding else "db.t4g.medium"
    parameter = {"ParameterName": "max_connections", **({"ParameterValue": value} if value else {})}
    with _account(monkeypatch) as rds:
        instance = {"DBInstanceClass": class_, "DBParameterGroups": [{"DBParameterGroupName": "house-rules"}]}
        rds.add_response("describe_db_instances", {"DBInstances": [instance]}, {"DBInstanceIdentifier": "shop-db-1"})
        rds.add_response("describe_db_parameters", {"Parameters": [parameter]}, {"DBParameterGroupName": "house-rules"})
        result = run("--stack", "shop", "--rule", "DatabaseConnections", "--rule", "DatabaseFunctionConcurrency")
    assert result.exit_code == (1 if finding else 0)
    if finding:
        assert finding in " ".join(result.stdout.split())


def test_what_may_not_be_asked_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with _account(monkeypatch) as rds:
        rds.add_client_error("describe_db_instances", "AccessDenied", "no rds:DescribeDBInstances for you.")
        result = run("--stack", "shop", "--rule", "DatabaseConnections", "--rule", "DatabaseFunctionConcurrency")
    assert result.exit_code == 0
    (line,) = result.stderr.splitlines()
    assert line.startswith("shop: Db can't be asked for its limit (")
    assert "no rds:DescribeDBInstances for you" in line


@contextmanager
def _account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stubber]:
    """An account with one stack, whose RDS the caller says."""
    names = ("cloudformation", "lambda", "rds")
    clients = {name: boto3.client(name, region_name="eu-west-1") for name in names}

    class Session:
        def __init__(self, **_: object) -> None:
            pass

        def client(self, name: str) -> object:
            return clients[name]

    monkeypatch.setattr(boto3, "Session", Session)
    stack = {
        "StackName": "shop",
        "StackId": "arn:aws:cloudformation:eu-west-1:123456789012:stack/shop/1",
        "CreationTime": "2026-01-01T00:00:00Z",
        "StackStatus": "CREATE_COMPLETE",
    }
    made = {
        "LogicalResourceId": "Db",
        "PhysicalResourceId": "shop-db-1",
        "ResourceType": "AWS::RDS::DBInstance",
        "LastUpdatedTimestamp": "2026-01-01T00:00:00Z",
        "ResourceStatus": "CREATE_COMPLETE",
    }
    cloudformation, functions, rds = (Stubber(clients[name]) for name in names)
    with cloudformation, functions, rds:
        functions.add_response("get_account_settings", {"AccountLimit": {"ConcurrentExecutions": 1000}})
        cloudformation.add_response("get_template", {"TemplateBody": ELSEWHERE})
        cloudformation.add_response("describe_stacks", {"Stacks": [stack]})
        cloudformation.add_response("list_stack_resources", {"StackResourceSummaries": [made]})
        yield rds
        rds.assert_no_pending_responses()
