"""`breakwater simulate` as a person and a pipeline call it."""

from __future__ import annotations

import json
import re
import struct
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cdk_breakwater.cli.main import app

LIMITED = """\
Parameters:
  Share: {Type: Number, Default: 12}
Resources:
  Group: {Type: AWS::RDS::DBParameterGroup, Properties: {Family: mariadb11.4, Parameters: {max_connections: "20"}}}
  Db:
    Type: AWS::RDS::DBInstance
    Properties: {Engine: mariadb, DBInstanceClass: db.t4g.micro, DBParameterGroupName: !Ref Group}
  Dead: {Type: AWS::SQS::Queue}
  Orders:
    Type: AWS::SQS::Queue
    Properties:
      VisibilityTimeout: 60
      RedrivePolicy: {deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 3}
  Writer:
    Type: AWS::Lambda::Function
    Properties:
      Timeout: 10
      ReservedConcurrentExecutions: !Ref Share
      Environment: {Variables: {DB_HOST: !GetAtt Db.Endpoint.Address}}
  Mapping:
    Type: AWS::Lambda::EventSourceMapping
    Properties:
      FunctionName: !Ref Writer
      EventSourceArn: !GetAtt Orders.Arn
      BatchSize: 10
      ScalingConfig: {MaximumConcurrency: !Ref Share}
  Setup:
    Type: AWS::Lambda::Function
    Properties: {Environment: {Variables: {DB_HOST: !GetAtt Db.Endpoint.Address}}}
  Schema: {Type: "Custom::Schema", Properties: {ServiceToken: !GetAtt Setup.Arn}}
"""
WITH_API = """\
  Reader:
    Type: AWS::Lambda::Function
    Properties: {ReservedConcurrentExecutions: 3, Environment: {Variables: {DB_HOST: !GetAtt Db.Endpoint.Address}}}
  Api: {Type: AWS::ApiGateway::RestApi}
  Stage:
    Type: AWS::ApiGateway::Stage
    Properties:
      RestApiId: !Ref Api
      MethodSettings: [{HttpMethod: "*", ResourcePath: /*, ThrottlingRateLimit: 15, ThrottlingBurstLimit: 3}]
  Allowed:
    Type: AWS::Lambda::Permission
    Properties:
      FunctionName: !Ref Reader
      Principal: apigateway.amazonaws.com
      SourceArn: !Sub "arn:aws:execute-api:eu-west-1:123456789012:${Api}/*"
"""
UNLIMITED = LIMITED.replace("      ReservedConcurrentExecutions: !Ref Share\n", "").replace(
    "      ScalingConfig: {MaximumConcurrency: !Ref Share}\n", ""
)


QUICK = ("--cold-start", "0s", "--patience", "5s")


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["simulate", *map(str, arguments)], catch_exceptions=False)


def run_json(*arguments: str | Path) -> dict[str, Any]:
    return json.loads(run(*arguments, "--format", "json").stdout)


@pytest.fixture
def template(tmp_path: Path) -> Path:
    path = tmp_path / "limited.yaml"
    path.write_text(LIMITED)
    return path


def test_a_share_that_holds(template: Path) -> None:
    result = run(template, "--load", "spike:3000")
    assert result.exit_code == 0
    text = " ".join(result.stdout.split())
    assert "Db: 12 connections at the most of 15, 5 of 20 are kept for others; it refuses nobody." in text
    assert "The first limit that binds" in text
    assert "the MaximumConcurrency 12 of its mapping (Orders)" in text
    assert "All is done after 53 s." in text
    assert "A request or message takes 0.2 s" in text


def test_messages_that_fail_each_time_and_functions_that_start_slowly(template: Path) -> None:
    reporting = LIMITED.replace(
        "BatchSize: 10", "BatchSize: 10\n      FunctionResponseTypes: [ReportBatchItemFailures]"
    )
    template.write_text(reporting)
    burst = ("--load", "spike:3000", "--failing", "Orders=2%", "--cold-start", "Writer=3s")
    result = run_json(template, *burst)["runs"][0]
    assert (result["entries"]["Orders"]["done"], result["entries"]["Orders"]["lost"]) == (2940, 60)
    assert "messages (0.02 of them fail each time)" in " ".join(result["assumptions"])
    assert "a cold start 3 s" in " ".join(result["assumptions"])
    template.write_text(LIMITED)  # a batch fails as a whole
    assert run_json(template, *burst)["runs"][0]["entries"]["Orders"]["lost"] > 60
    for option, value, said in (
        ("--failing", "Orders=102%", "'102%' is no part of a whole"),
        ("--failing", "Writer=2%", "nothing is called 'Writer'. There are: Orders."),
        ("--cold-start", "Orders=2s", "nothing is called 'Orders'"),
        ("--cold-start", "soon", "'soon' is no time"),
    ):
        refused = run(template, option, value)
        assert refused.exit_code == 2
        assert said in refused.stderr


def test_the_smallest_size_for_a_load(template: Path) -> None:
    template.write_text(UNLIMITED.replace(", DBParameterGroupName: !Ref Group", ""))
    burst = ("--load", "constant:120:30", "--duration", "100ms", "--connections", "2")
    result = run_json(template, *burst, "--size")
    (size,) = result["sizes"]
    assert size["max_connections"] == size["functions"] + 5
    assert (size["class_"], round(size["dollars"])) == ("db.t4g.small", 23)
    assert size["class_connections"] >= size["max_connections"]
    assert size["acus"] is None
    # It holds, and one environment's connections less do not.
    for less, code in ((0, 0), (2, 1)):
        most = f"Db={size['functions'] - less}"
        assert run(template, *burst, "--max-connections", most).exit_code == code
    text = " ".join(run(template, *burst, "--size").stdout.split())
    assert f"Db: the smallest max_connections for this load is {size['max_connections']}" in text
    assert "By default db.t4g.small has" in text
    aurora = UNLIMITED[: UNLIMITED.index("  Group:")] + UNLIMITED[UNLIMITED.index("  Dead:") :]
    aurora = aurora.replace(
        "Resources:",
        """Resources:
  Db:
    Type: AWS::RDS::DBCluster
    Properties: {Engine: aurora-mysql, ServerlessV2ScalingConfiguration: {MinCapacity: 1, MaxCapacity: 2}}
  One: {Type: AWS::RDS::DBInstance, Properties: {DBClusterIdentifier: !Ref Db, DBInstanceClass: db.serverless}}""",
    )
    template.write_text(aurora)
    (size,) = run_json(template, *burst, "--size")["sizes"]
    assert (size["acus"], size["dollars_per_acu"]) == (1, pytest.approx(87.6))


PROXIED = """\
Resources:
  Db: {Type: AWS::RDS::DBInstance, Properties: {Engine: postgres, DBInstanceClass: db.t4g.micro}}
  Proxy: {Type: AWS::RDS::DBProxy, Properties: {DBProxyName: p, EngineFamily: POSTGRESQL}}
  Group:
    Type: AWS::RDS::DBProxyTargetGroup
    Properties:
      DBProxyName: !Ref Proxy
      DBInstanceIdentifiers: [!Ref Db]
      ConnectionPoolConfigurationInfo: {MaxConnectionsPercent: 50, ConnectionBorrowTimeout: 5}
  Clicks: {Type: AWS::Kinesis::Stream, Properties: {ShardCount: 2}}
  Reader:
    Type: AWS::Lambda::Function
    Properties: {Timeout: 10, Environment: {Variables: {DB_HOST: !GetAtt Proxy.Endpoint}}}
  Mapping:
    Type: AWS::Lambda::EventSourceMapping
    Properties: {FunctionName: !Ref Reader, EventSourceArn: !GetAtt Clicks.Arn, BatchSize: 10, ParallelizationFactor: 2}
  Writer:
    Type: AWS::Lambda::Function
    Properties: {Timeout: 10, Environment: {Variables: {DB_HOST: !GetAtt Proxy.Endpoint}}}
"""


def test_a_proxys_pool_and_a_streams_lanes(template: Path) -> None:
    template.write_text(PROXIED)
    (result,) = run_json(template, "--load", "spike:1000")["runs"]
    proxy = result["servers"]["Proxy"]
    # half of what the class has by its memory
    assert (proxy["usable"], proxy["connections"]["peak"], proxy["borrow_timeout"]) == (36, 36, 5)
    assert proxy["refused"] > 0
    assert result["harmful"]
    assert result["entries"]["Clicks"]["kind"] == "stream"
    assert result["functions"]["Reader"]["concurrency"]["peak"] == 4
    text = " ".join(result["verdict"])
    assert "the 4 lanes (shards times ParallelizationFactor) of its mapping (Clicks)" in text
    assert "the pool of 36 connections (Proxy)" in text
    assert "wait for longer than 5 s, and fail" in text
    assert not any("not simulated" in line for line in result["assumptions"])
    assert run(template, "--load", "Clicks=spike:400").exit_code == 0
    # Who waits in vain while a failover lasts does so for no limit of the app.
    (failed,) = run_json(template, "--load", "spike:100", "--failover-at", "1s", "30s")["runs"]
    assert (failed["servers"]["Proxy"]["unavailable"] > 0, failed["harmful"]) == (True, False)
    assert {each["limit"] for each in failed["bindings"] if each["resource"] == "Proxy"} == {"the failover"}
    assert "There is nothing to size" in run(template, "--load", "Clicks=spike:4", "--size").stdout
    beside = PROXIED.replace("!GetAtt Proxy.Endpoint", "!GetAtt Db.Endpoint.Address", 1)
    note = "Note: Db: the connections that Proxy holds of it are not counted with those of functions"
    assert note not in run(template, "--load", "Clicks=spike:4").stdout
    template.write_text(beside)
    assert note in run(template, "--load", "Clicks=spike:4").stdout
    template.write_text(PROXIED)
    for options, said in (
        (("--model", "binned"), "the pool of an RDS Proxy lends to single invocations"),
        (("--weight", "2"), "there is nothing in these templates that it is for"),
        (("--load", "spike:1e16"), "'1e16' is no number from 0 to 1e+15"),
    ):
        refused = run(template, *options)
        assert refused.exit_code == 2
        assert said in refused.stderr


def test_message_groups_and_partition_keys(template: Path) -> None:
    fifo = LIMITED.replace("      VisibilityTimeout: 60", "      FifoQueue: true\n      VisibilityTimeout: 60")
    clicks = """
  Clicks: {Type: AWS::Kinesis::Stream, Properties: {ShardCount: 2}}
  Reader: {Type: AWS::Lambda::Function, Properties: {Timeout: 10}}
  Reading:
    Type: AWS::Lambda::EventSourceMapping
    Properties:
      FunctionName: !Ref Reader
      EventSourceArn: !GetAtt Clicks.Arn
      ParallelizationFactor: 4
      BatchSize: 10
"""
    template.write_text(fifo.replace("BatchSize: 10", "BatchSize: 1") + clicks)
    own = run(template, "--load", "Orders=spike:60", *QUICK)
    text = " ".join(own.stdout.split())
    assert "Orders: messages, each with a message group of its own, for Writer: 60 at once" in text
    assert "All is done after 1 s." in text
    few = " ".join(run(template, "--load", "Orders=spike:60", "--keys", "Orders=3", *QUICK).stdout.split())
    assert "Orders: messages of 3 message groups for Writer: 60 at once" in few
    assert "one batch of a message group at a time (Orders): up to 57 messages in line behind others" in few
    assert "All is done after 4 s." in few
    failing = ("--load", "Orders=spike:60", "--keys", "3", "--failing", "Orders=2%", "--cold-start", "0s")
    for model in ("events", "binned"):
        (result,) = run_json(template, *failing, "--model", model)["runs"]
        assert result["entries"]["Orders"]["lost"] == pytest.approx(1, abs=0.3)
        assert "of them behind one that failed" in " ".join(result["verdict"])
        assert result["drained"] == pytest.approx(3 * 60, rel=0.05)
    uneven = run(template, "--load", "Clicks=spike:500", "--keys", "50", "--duration", "50ms", *QUICK)
    text = " ".join(uneven.stdout.split())
    assert "the 8 lanes (shards times ParallelizationFactor) of its mapping (Clicks)" in text
    assert "one lane gets 18% of all by their keys (an even part is 12.5%)" in text
    assert (uneven.exit_code, "All is done after 4.5 s." in text) == (0, True)
    one = ("--load", "Clicks=spike:200", "--keys", "1", "--failing", "5%", "--duration", "10ms", "--cold-start", "0s")
    template.write_text(template.read_text().replace("ParallelizationFactor: 4", "MaximumRetryAttempts: 2"))
    for model in ("events", "binned"):
        (result,) = run_json(template, *one, "--model", model)["runs"]
        assert result["entries"]["Clicks"]["lost"] == pytest.approx(100, rel=0.05)
    template.write_text(template.read_text().replace("ShardCount: 2", "ShardCount: 0"))
    assert "its ShardCount of 0 is none that AWS takes; taken for 1" in run(template, *one).stdout
    template.write_text(template.read_text().replace("MaximumRetryAttempts: 2", "ParallelizationFactor: 4"))
    endless = ("--load", "Clicks=spike:50", "--failing", "Clicks=2%", *QUICK)
    stuck = run(template, *endless)
    assert stuck.exit_code == 1
    assert "no MaximumRetryAttempts (Clicks): a record that fails is tried until it expires" in " ".join(
        stuck.stdout.split()
    )
    for options, said in (
        ((*endless, "--model", "binned"), "Clicks tries a record that fails without end"),
        (("--keys", "0"), "'0' is no whole number from 1 to 1,000,000"),
        (("--keys", "2.5"), "'2.5' is no whole number"),
        (("--keys", "Writer=2"), "nothing is called 'Writer'. There are: Clicks, Orders."),
    ):
        refused = run(template, *options)
        assert (refused.exit_code, said in refused.stderr) == (2, True)


def test_a_queue_and_a_stream_of_other_templates(template: Path) -> None:
    mapping = (
        "{Type: AWS::Lambda::EventSourceMapping, Properties: {FunctionName: !Ref F, BatchSize: 1, EventSourceArn: "
    )
    template.write_text(
        "Resources:\n  F: {Type: AWS::Lambda::Function}\n"
        f"  Q: {mapping}'arn:aws:sqs:eu-west-1:123456789012:q.fifo'}}}}\n"
        f"  S: {mapping}'arn:aws:kinesis:eu-west-1:123456789012:stream/s'}}}}\n"
    )
    result = run_json(template, "--load", "spike:9", "--keys", "Q=3", *QUICK)["runs"][0]
    assert {name: entry["kind"] for name, entry in result["entries"].items()} == {"Q": "fifo", "S": "stream"}
    assert "Q: messages of 3 message groups for F" in " ".join(result["assumptions"])
    assert result["functions"]["F"]["concurrency"]["peak"] == 4


def test_the_same_without_limits(template: Path) -> None:
    result = run(template, "--load", "spike:3000", "--without-limits")
    assert result.exit_code == 0  # what the app itself does
    text = " ".join(result.stdout.split())
    assert re.search(r"Db: refused │ +0 │ +[1-9]", text)
    assert "15 connections for functions (max_connections 20) (Db): it refuses" in text
    assert "end in the dead-letter queue" in text


def test_what_refuses_fails_the_command_and_is_named_first(template: Path) -> None:
    template.write_text(UNLIMITED)
    result = run_json(template, "--load", "spike:3000", "--without-limits", "--compare", template)
    own, without, other = result["runs"]
    assert own["harmful"]
    assert own["servers"]["Db"]["connections"]["peak"] == 15
    assert own["servers"]["Db"]["refused"] > 0
    assert own["entries"]["Orders"]["lost"] > 0
    # There is nothing to take out, and the other one is the same.
    for each in (without, other):
        assert {key: each[key] for key in each if key != "title"} == {key: own[key] for key in own if key != "title"}
    assert run(template, "--load", "spike:3000").exit_code == 1
    assert run(template, "--load", "spike:3").exit_code == 0


def test_limits_are_those_of_the_template(template: Path) -> None:
    template.write_text(LIMITED + WITH_API)
    found = run_json(template, "--load", "constant:200:30s", "--parameter", "Share=9")["runs"][0]
    assert found["functions"]["Writer"]["reserved"] == 9
    assert found["functions"]["Writer"]["concurrency"]["peak"] == 9
    assert found["functions"]["Reader"]["concurrency"]["peak"] == 3
    assert "Setup" not in found["functions"]  # deployments alone call it
    assert found["servers"]["Db"] | {"connections": {}} == {
        "max_connections": 20,
        "usable": 15,
        "connections": {},
        "refused": 0,
        "unavailable": 0,
        "borrow_timeout": None,
        "waiting": 0,
    }
    assert found["entries"]["Api"]["limited"] == pytest.approx(6_000 - 3 - 15 * 30, abs=2)
    assert [each["resource"] for each in found["bindings"]][:2] == ["Stage", "Reader"]


def test_limits_of_single_clients_and_routes_are_said(template: Path) -> None:
    stages = "{ApiStages: [{ApiId: !Ref Api, Stage: !Ref Stage}]}"
    plan = f"  Plan: {{Type: AWS::ApiGateway::UsagePlan, Properties: {stages}}}\n"
    said = "the limits of single methods and clients are not simulated"
    template.write_text(LIMITED + WITH_API + plan)
    assert f"Note: Api: {said}" in run(template, "--load", "Api=spike:1").stdout
    template.write_text(LIMITED + WITH_API)
    assert said not in run(template, "--load", "Api=spike:1").stdout
    http = (LIMITED + WITH_API).replace("ApiGateway::RestApi}", "ApiGatewayV2::Api, Properties: {ProtocolType: HTTP}}")
    http = http.replace("AWS::ApiGateway::Stage", "AWS::ApiGatewayV2::Stage").replace("RestApiId:", "ApiId:")
    for routes, is_said in (("{}", False), ("{GET /: {ThrottlingRateLimit: 1}}", True)):
        template.write_text(http.replace("MethodSettings: [", f"RouteSettings: {routes}\n      Old: ["))
        assert (f"Note: Stage: {said}" in run(template, "--load", "Api=spike:1").stdout) == is_said


def test_no_largest_load_is_named_that_steps_are_too_rough_for(template: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cdk_breakwater.cli.simulated_burst._MOST_TRIED", 100)
    template.write_text(PROXIED.replace("!GetAtt Proxy.Endpoint", "none").replace("BatchSize: 10", "BatchSize: 100"))
    found = run(template, "--load", "Clicks=spike:60", "--patience", "0", "--find-max")
    assert found.exit_code == 2
    assert "batches of Clicks may end unfinished" in found.stderr


def test_nested_stacks_with_the_same_names_are_told_apart(tmp_path: Path) -> None:
    """Their databases were taken for one, and their functions for one."""
    child, parent = tmp_path / "child.yaml", tmp_path / "parent.yaml"
    body = LIMITED.replace("Default: 12}", "Default: 5}\n  Most: {Type: String}")
    child.write_text(body.replace('max_connections: "20"', "max_connections: !Ref Most"))
    nested = "{Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: child.yaml, Parameters: {Most: %s}}}"
    parent.write_text(f"Resources:\n  One: {nested % 20}\n  Two: {nested % 90}\n")
    found = run_json(parent, "--load", "spike:100", "--max-connections", "Two/Db=7")["runs"][0]
    assert {name: each["usable"] for name, each in found["servers"].items()} == {"One/Db": 15, "Two/Db": 7}
    peaks = {name: each["concurrency"]["peak"] for name, each in found["functions"].items()}
    assert peaks == {"One/Writer": 5, "Two/Writer": 5}


def test_one_message_is_one(template: Path) -> None:
    out = run(template, "--load", "spike:1", "--failing", "100%").stdout
    assert "1 message ends in the dead-letter queue" in out


def test_a_load_for_one_entry_and_a_duration_for_one_function(template: Path) -> None:
    template.write_text(LIMITED + WITH_API)
    arguments = ("--load", "Orders=spike:100", "--load", "Orders=constant:1:10s", "--duration", "Writer=1s")
    found = run_json(template, *arguments)["runs"][0]
    assert found["entries"].keys() == {"Orders"}
    assert found["entries"]["Orders"]["arrivals"] == 110
    assert found["drained"] >= 100 / 12


def test_events_by_the_clock(template: Path) -> None:
    burst = ("--load", "constant:30:60s", "--duration", "300ms")
    calm = run_json(template, *burst)["runs"][0]["servers"]["Db"]
    assert calm["refused"] == 0
    deployed = run_json(template, *burst, "--deploy-at", "30s")["runs"][0]["servers"]["Db"]
    assert deployed["refused"] > 0  # 12 of the old code and 3 of the new
    # An environment that ends as soon as it rests leaves nothing behind.
    brief = run_json(template, *burst, "--deploy-at", "30s", "--idle", "100ms")["runs"][0]["servers"]["Db"]
    assert brief["refused"] < deployed["refused"]
    failed = run_json(template, *burst, "--failover-at", "20s", "10s")["runs"][0]
    assert failed["servers"]["Db"]["unavailable"] > 0
    assert any(each["limit"] == "the failover" for each in failed["bindings"])


def test_numbers_that_no_template_tells(template: Path) -> None:
    outside = re.sub(r"  Group: .*\n  Db:\n.*\n.*\n", "", LIMITED).replace("!GetAtt Db.Endpoint.Address", "db.shop.lan")
    template.write_text(outside)
    result = run(template)
    assert result.exit_code == 2
    assert "nobody knows whether it refuses anybody. Say --max-connections" in result.stderr
    assert "how many it has is not known here" in " ".join(result.stdout.split())
    assert "is not in the templates; say --max-connections" in " ".join(result.stdout.split())
    known = run_json(template, "--max-connections", "30", "--connections", "Writer=2")["runs"][0]
    (server,) = known["servers"].values()
    assert (server["max_connections"], server["connections"]["peak"], server["refused"]) == (30, 24, 0)
    less = run(template, "--max-connections", "10", "--connections", "2")
    assert (less.exit_code, "10 for functions (--max-connections)" in less.stdout) == (1, True)
    assert "say --max-connections" not in less.stdout


def test_what_this_librarys_variables_tell(template: Path) -> None:
    """Of `Downstream.endpoint`, whose host is no resource."""
    told = "{BREAKWATER_HOST: db.shop.lan, BREAKWATER_ENGINE: mariadb, BREAKWATER_MAX_CONNECTIONS: '20'}"
    further = "{BREAKWATER_DOCS_HOST: m.lan, BREAKWATER_DOCS_ENGINE: mongodb, BREAKWATER_DOCS_MAX_CONNECTIONS: '500'}"
    beside = told.replace("{", "{BREAKWATER_PORT: '3307', ")  # another server of the same host
    template.write_text(
        "Resources:\n"
        f"  One: {{Type: AWS::Lambda::Function, Properties: {{Environment: {{Variables: {told}}}}}}}\n"
        f"  Two: {{Type: AWS::Lambda::Function, Properties: {{Environment: {{Variables: {further}}}}}}}\n"
        f"  Three: {{Type: AWS::Lambda::Function, Properties: {{Environment: {{Variables: {beside}}}}}}}\n"
    )
    servers = run_json(template, "--load", "spike:18")["runs"][0]["servers"]
    assert {name: (each["usable"], each["connections"]["peak"], each["refused"]) for name, each in servers.items()} == {
        "db.shop.lan": (15, 15, 3),
        "db.shop.lan:3307": (15, 15, 3),
        "m.lan": (490, 36, 0),
    }


@pytest.mark.parametrize(("shape", "unit"), [("spike:{:.0f}", 100.0), ("constant:{:.2f}:20s", 10.0)])
def test_the_largest_load(template: Path, shape: str, unit: float) -> None:
    def is_harmful(load: float) -> bool:
        return run_json(template, "--load", shape.format(load), *QUICK)["runs"][0]["harmful"]

    template.write_text(UNLIMITED)
    factor = run_json(template, "--load", shape.format(unit), "--find-max", *QUICK)["largest_factor"]
    assert not is_harmful(unit * factor)
    assert is_harmful(unit * factor * 1.1)


def test_a_load_that_has_no_largest(template: Path) -> None:
    assert run_json(template, "--load", "constant:10:5s", "--find-max", *QUICK)["largest_factor"] is None
    assert "nothing comes" in run(template, "--load", "spike:0", "--find-max").stderr


def test_messages_that_wait_longer_than_the_queue_keeps_them(template: Path) -> None:
    kept = LIMITED.replace("VisibilityTimeout: 60", "VisibilityTimeout: 60\n      MessageRetentionPeriod: 60")
    template.write_text(kept)
    long = run(template, "--load", "spike:20000", "--cold-start", "0s")
    assert (long.exit_code, "MessageRetentionPeriod 60 s" in long.stdout) == (1, True)
    short = run(template, "--load", "spike:100", *QUICK)
    assert (short.exit_code, "MessageRetentionPeriod" in short.stdout) == (0, False)


def test_reservations_that_the_account_does_not_have(template: Path) -> None:
    template.write_text(LIMITED)
    said = run(template, "--load", "spike:10", "--account-concurrency", "5", *QUICK).stdout
    assert "an account with 5 lets them reserve 0" in said


def test_a_recorded_load(template: Path, tmp_path: Path) -> None:
    (tmp_path / "load.csv").write_text("Timestamp,Sum\n2026-11-28T10:00:00Z,60\n2026-11-28T10:01:00Z,120\n")
    assert run_json(template, "--load", tmp_path / "load.csv")["runs"][0]["entries"]["Orders"]["arrivals"] == 180
    (tmp_path / "load.csv").write_text("1764324000,5\n1764324010,1\n")
    assert run_json(template, "--load", tmp_path / "load.csv")["runs"][0]["seconds"] < 60
    (tmp_path / "load.csv").write_text("0,5\n10,1\n")
    assert (
        run_json(template, "--load", f"Orders={tmp_path / 'load.csv'}")["runs"][0]["entries"]["Orders"]["arrivals"] == 6
    )


def test_the_page_is_whole_by_itself(template: Path, tmp_path: Path) -> None:
    assert run(template, "--without-limits", "--html", tmp_path / "page.html").exit_code == 0
    page = (tmp_path / "page.html").read_text()
    assert page.count("<svg") >= 8
    assert page.count("Connections of Db") == 2
    assert not re.search(r"https?://|<script|@import|src=", page)


def test_an_assembly(tmp_path: Path, template: Path) -> None:
    artifact = {"type": "aws:cloudformation:stack", "properties": {"templateFile": "limited.yaml"}}
    (tmp_path / "manifest.json").write_text(json.dumps({"artifacts": {"Shop": artifact}}))
    assert run_json(tmp_path, "--load", "spike:20")["runs"][0]["entries"]["Orders"]["done"] == 20


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ((), "no template is named"),
        (("gone.yaml",), "No such file"),
        (("{template}", "--load", "spik:3"), "there is no load 'spik:3'. Write spike:COUNT"),
        (("{template}", "--load", "spike:many"), "'many' is no number"),
        (("{template}", "--load", "spike:-1"), "'-1' is no number"),
        (("{template}", "--load", "spike:nan"), "'nan' is no number"),
        (("{template}", "--load", "constant:5:0s"), "Let it last longer"),
        (("{template}", "--load", "ramp:5"), "goes from one rate to another"),
        (("{template}", "--load", "Nowhere=spike:3"), "nothing is called 'Nowhere'. There are: Orders."),
        (("{template}", "--load", "gone.csv"), "can't be read"),
        (("{template}", "--load", "{template}"), "row 1 is"),
        (("{template}", "--duration", "soon"), "'soon' is no time"),
        (("{template}", "--duration", "0s"), "work takes time"),
        (("{template}", "--duration", "Reader=1s"), "There are: Writer."),
        (("{template}", "--deploy-at", "1e999"), "is no time"),
        (("{template}", "--max-connections", "Db=x"), "'x' is no number"),
        (("{template}", "--model", "events", "--load", "constant:1e6:1h"), "too many to follow"),
        (("{template}", "--format", "yaml"), "Take one of table, json."),
        (("{template}", "--parameter", "Shar=1"), "no template has a parameter 'Shar'"),
        (("{template}", "--html", "/nowhere/at/all.html"), "can't be written"),
    ],
)
def test_what_is_wrong_is_one_line(arguments: tuple[str, ...], problem: str, template: Path) -> None:
    result = run(*(each.format(template=template) for each in arguments))
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert problem in line


def test_the_page_of_the_docs_shows_what_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).parents[3] / "docs" / "simulate.md").read_text(encoding="utf-8")
    (body,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    (command, shown) = re.findall(r"```text\n\$ breakwater simulate ([^\n]*)\n(.*?)```", page, re.DOTALL)[0]
    (tmp_path / "shop.yaml").write_text(body)
    monkeypatch.chdir(tmp_path)
    result = run(*command.split())
    assert [line.rstrip() for line in result.stdout.splitlines()] == shown.splitlines()
    options = set(re.findall(r"`(--[a-z-]+)", page))
    assert options <= set(re.findall(r"--[a-z-]+", run("--help").stdout + "--html"))


@pytest.mark.parametrize("odd", ["-1", "0", "1e9", "!Ref 'AWS::Region'", "3.7", "1e308"])
@pytest.mark.parametrize(
    "name", ["Timeout: 10", "VisibilityTimeout: 60", "BatchSize: 10", "maxReceiveCount: 3", "!Ref Share"]
)
def test_what_aws_does_not_take_is_said(name: str, odd: str, template: Path) -> None:
    template.write_text(LIMITED.replace(name, f"{name.partition(':')[0]}: {odd}" if ":" in name else odd))
    result = run(template, "--load", "spike:30", "--patience", "10m")
    assert (result.exit_code in (0, 1), result.stderr) == (True, "")
    assert "Verdict" in result.stdout


@pytest.mark.parametrize("odd", ["x", "[]", "{}", "true", "''", "10s", "[10]", "{Value: 10}", "nan"])
def test_what_is_no_number_is_a_template_that_is_refused(odd: str, template: Path) -> None:
    lines = LIMITED.replace("ReservedConcurrentExecutions: !Ref Share", "ReservedConcurrentExecutions: 12")
    lines = lines.replace("MaximumConcurrency: !Ref Share", "MaximumConcurrency: 12")
    properties = {"Timeout": 10, "VisibilityTimeout": 60, "BatchSize": 10, "maxReceiveCount": 3}
    properties |= {"ReservedConcurrentExecutions": 12, "MaximumConcurrency": 12}
    wrong = lines
    for name, value in properties.items():
        wrong = re.sub(rf"\b{name}: {value}\b", f"{name}: {odd}", wrong)
    template.write_text(wrong)
    result = run(template, "--load", "spike:30")
    (line,) = result.stderr.splitlines()
    assert (result.exit_code, result.stdout) == (2, "")
    for name in properties:
        assert re.search(rf"\b{name} of \w+ is .*?, and CloudFormation takes a number", line)
    checked = CliRunner().invoke(app, ["check", str(template)], catch_exceptions=False)
    assert (checked.exit_code, checked.stderr.count("and CloudFormation takes a number")) == (2, len(properties))
    # A macro of one's own may make a number of it.
    template.write_text(f"Transform: Ours\n{wrong}")
    assert "CloudFormation takes a number" not in run(template, "--load", "spike:30").stderr


def test_a_template_without_functions(tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text("Resources: {Q: {Type: AWS::SQS::Queue}}")
    result = run(tmp_path / "t.yaml")
    assert (result.exit_code, "has no function" in result.stderr) == (2, True)


def test_the_plots_as_a_picture(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "burst.png"
    assert run(template, *QUICK, "--png", file).exit_code == 0
    drawn = file.read_bytes()
    assert drawn.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", drawn[16:24])
    assert (width, height > 800) == (2 * (720 + 32), True)
    assert len(drawn) > 10_000, "it shows something"
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    missing = run(template, *QUICK, "--png", file)
    assert missing.exit_code == 2
    assert "Install cdk-breakwater[png]" in missing.stderr
