"""How long the checks take for a large template."""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import Any

from cdk_breakwater.checks import RULES, check
from cdk_breakwater.cli.check_sources import Sources

_RUNS = 3


def seconds(resources: int) -> float:
    """Read and check a template of so many resources, and give the best time of three."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "template.json"
        file.write_text(json.dumps(_template(resources), indent=1), encoding="utf-8")
        return min(_once(file) for _ in range(_RUNS))


def _once(file: Path) -> float:
    start = time.perf_counter()
    sources = Sources(1000, {})
    sources.read([file])
    for assembly in sources.assemblies:
        check(assembly, RULES)
    return time.perf_counter() - start


def _template(resources: int) -> dict[str, Any]:
    """Give services of ten resources each: a database, a function of it behind an API, and one behind a queue."""
    found: dict[str, Any] = {}
    for n in range(resources // 10):
        address = {"Fn::GetAtt": [f"Db{n}", "Endpoint.Address"]}
        secret = {"Fn::Sub": f"{{{{resolve:secretsmanager:${{Secret{n}}}::password}}}}"}
        statement = {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": {"Ref": f"Secret{n}"}}
        redrive = {"deadLetterTargetArn": {"Fn::GetAtt": [f"Dead{n}", "Arn"]}, "maxReceiveCount": 5}
        mapping = {"FunctionName": {"Ref": f"Work{n}"}, "EventSourceArn": {"Fn::GetAtt": [f"Queue{n}", "Arn"]}}
        for name, type_, properties in (
            ("Secret", "AWS::SecretsManager::Secret", {"Description": "a password"}),
            ("Db", "AWS::RDS::DBInstance", {"Engine": "mysql", "MasterUserPassword": secret}),
            ("Role", "AWS::IAM::Role", {"Policies": [{"PolicyDocument": {"Statement": [statement]}}]}),
            ("Work", "AWS::Lambda::Function", {"Environment": {"Variables": {"HOST": address}}, "Timeout": 30}),
            ("Read", "AWS::Lambda::Function", {"Role": {"Fn::GetAtt": [f"Role{n}", "Arn"]}}),
            ("Queue", "AWS::SQS::Queue", {"RedrivePolicy": redrive}),
            ("Dead", "AWS::SQS::Queue", {"MessageRetentionPeriod": 1209600}),
            ("Mapping", "AWS::Lambda::EventSourceMapping", mapping),
            ("Api", "AWS::ApiGateway::RestApi", {"Name": "orders"}),
            ("Stage", "AWS::ApiGateway::Stage", {"RestApiId": {"Ref": f"Api{n}"}, "StageName": "prod"}),
        ):
            found[f"{name}{n}"] = {"Type": type_, "Properties": properties}
    return {"Resources": found}
