"""An upgrade of the library replaces nothing that holds data: logical ids, types, and what CloudFormation can't change.

`stateful_resources.json` is what the templates of 24 November 2026 held. A line may be added to it, and none changed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
# Source: AWS CloudFormation Template Reference, "Update requires: Replacement", of each type.
REPLACED_BY = {
    "AWS::DynamoDB::Table": ("TableName", "KeySchema"),
    "AWS::KMS::Key": (),
    "AWS::Logs::LogGroup": ("LogGroupName",),
    "AWS::RDS::DBInstance": ("DBInstanceIdentifier", "DBName", "Engine", "MasterUsername", "StorageEncrypted"),
    "AWS::S3::Bucket": ("BucketName",),
    "AWS::SNS::Topic": ("TopicName", "FifoTopic"),
    "AWS::SQS::Queue": ("QueueName", "FifoQueue"),
    "AWS::SecretsManager::Secret": ("Name",),
}


def stateful(resources: dict[str, Any]) -> dict[str, Any]:
    """Give each stateful resource's type and the properties that replace it when they change."""
    return {
        name: {"Type": resource["Type"]}
        | {key: value for key, value in resource.get("Properties", {}).items() if key in REPLACED_BY[resource["Type"]]}
        for name, resource in sorted(resources.items())
        if resource["Type"] in REPLACED_BY
    }


@pytest.mark.parametrize("app", ["private", "public"])
def test_what_holds_data_stays(app: str) -> None:
    template = json.loads((HERE / f"__snapshots__/test_reference_app/test_template[{app}].json").read_text("utf-8"))
    before = json.loads((HERE / "stateful_resources.json").read_text("utf-8"))[app]
    now = stateful(template["Resources"])
    assert len(before) > 20
    assert {name: now.get(name) for name in before} == before
