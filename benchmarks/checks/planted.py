"""The planted mistakes: the small templates of the tests, of each pair one that is wrong and one that is right."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cdk_breakwater.cli.template_file import read_template

_CORPUS = Path(__file__).parents[2] / "tests" / "unit" / "checks" / "corpus"
_SECTIONS = ("Parameters", "Mappings", "Conditions", "Hooks", "Resources")
# What the tests leave out since no rule reads it, and others look for first.
_ROLE = {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/work"}
_KEY = {"AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}], "BillingMode": "PAY_PER_REQUEST"}  # fmt: skip
_LAMBDA = "AWS::Lambda::"
_REQUIRED: dict[str, dict[str, Any]] = {
    f"{_LAMBDA}Function": {
        "Code": {"ZipFile": "def handler(event, context): pass"},
        "Handler": "index.handler",
        "Runtime": "python3.14",
        "Role": _ROLE,
    },
    f"{_LAMBDA}Permission": {"Action": "lambda:InvokeFunction", "Principal": "events.amazonaws.com"},
    f"{_LAMBDA}Alias": {"FunctionVersion": "1", "Name": "live"},
    f"{_LAMBDA}EventInvokeConfig": {"Qualifier": "$LATEST"},
    "AWS::ApiGateway::Method": {"HttpMethod": "GET", "ResourceId": "abc", "AuthorizationType": "AWS_IAM"},
    "AWS::ApiGateway::RestApi": {"Name": "orders"},
    "AWS::ApiGateway::Stage": {"StageName": "prod", "DeploymentId": "abc", "RestApiId": "abc"},
    "AWS::ApiGateway::Deployment": {"RestApiId": "abc"},
    "AWS::ApiGatewayV2::Api": {"Name": "orders", "ProtocolType": "HTTP"},
    "AWS::ApiGatewayV2::Stage": {"StageName": "prod", "ApiId": "abc"},
    "AWS::Logs::SubscriptionFilter": {"FilterPattern": "", "LogGroupName": "orders"},
    "AWS::DynamoDB::Table": {**_KEY, "StreamSpecification": {"StreamViewType": "KEYS_ONLY"}},
    "AWS::DynamoDB::GlobalTable": {**_KEY, "StreamSpecification": {"StreamViewType": "KEYS_ONLY"}},
    "AWS::Kinesis::Stream": {"ShardCount": 1},
    "AWS::Kinesis::StreamConsumer": {"ConsumerName": "work", "StreamARN": "arn:aws:kinesis:eu-west-1:1:stream/orders"},
    "AWS::AmazonMQ::Broker": {
        "BrokerName": "orders",
        "DeploymentMode": "SINGLE_INSTANCE",
        "EngineType": "RABBITMQ",
        "HostInstanceType": "mq.m7g.medium",
        "PubliclyAccessible": False,
    },
    "AWS::StepFunctions::StateMachine": {"RoleArn": _ROLE},
    "AWS::Pipes::Pipe": {
        "RoleArn": _ROLE,
        "Source": {"Fn::Sub": "arn:${AWS::Partition}:kinesis:${AWS::Region}:${AWS::AccountId}:stream/orders"},
        "Target": {"Fn::Sub": "arn:${AWS::Partition}:sqs:${AWS::Region}:${AWS::AccountId}:work"},
    },
    "AWS::SNS::Subscription": {"Protocol": "sqs", "TopicArn": "arn:aws:sns:eu-west-1:1:orders"},
    "AWS::EC2::SecurityGroup": {"GroupDescription": "of the benchmark"},
    "AWS::IAM::Role": {
        "AssumeRolePolicyDocument": {
            "Statement": [
                {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
            ]
        }
    },
    "AWS::RDS::DBInstance": {"AllocatedStorage": "20", "DBInstanceClass": "db.t4g.micro"},
    "AWS::DocDB::DBInstance": {"DBInstanceClass": "db.t4g.medium"},
    "AWS::RDS::DBCluster": {"Engine": "aurora-mysql"},
    "AWS::RDS::DBParameterGroup": {"Family": "mysql8.4", "Description": "of the benchmark"},
    "AWS::RDS::DBClusterParameterGroup": {"Family": "aurora-mysql8.0", "Description": "of the benchmark"},
    "AWS::RDS::DBProxy": {
        "Auth": [{"AuthScheme": "SECRETS", "SecretArn": "arn:aws:secretsmanager:eu-west-1:1:secret:a"}],
        "DBProxyName": "orders",
        "EngineFamily": "MYSQL",
        "RoleArn": _ROLE,
        "VpcSubnetIds": ["subnet-1", "subnet-2"],
    },
    "AWS::RDS::DBProxyEndpoint": {"DBProxyEndpointName": "reads", "VpcSubnetIds": ["subnet-1", "subnet-2"]},
    "AWS::RDS::DBProxyTargetGroup": {"TargetGroupName": "default"},
    "AWS::SSM::Parameter": {"Type": "String"},
    "AWS::SecretsManager::SecretTargetAttachment": {"TargetType": "AWS::RDS::DBInstance"},
    "AWS::SecretsManager::RotationSchedule": {"SecretId": "orders"},
    "AWS::ElastiCache::ReplicationGroup": {"ReplicationGroupDescription": "of the benchmark"},
    "AWS::ElastiCache::CacheCluster": {"CacheNodeType": "cache.t4g.micro", "Engine": "redis", "NumCacheNodes": 1},
    "AWS::ElastiCache::ServerlessCache": {"Engine": "valkey", "ServerlessCacheName": "orders"},
    "AWS::MemoryDB::Cluster": {"ACLName": "open-access", "ClusterName": "orders", "NodeType": "db.t4g.small"},
    "AWS::Redshift::Cluster": {
        "ClusterType": "single-node",
        "DBName": "a",
        "MasterUsername": "a",
        "NodeType": "ra3.large",
    },
    "AWS::KMS::Key": {"KeyPolicy": {"Statement": []}},
    "AWS::CloudFormation::CustomResource": {"ServiceToken": "arn:aws:lambda:eu-west-1:1:function:a"},
}


@dataclass(frozen=True)
class Planted:
    """A template.

    Attributes
    ----------
    name
        That of its file, without its suffix.
    rule
        The rule whose kind of mistake it has, or almost has.
    wrong
        Whether it has it.
    """

    name: str
    rule: str
    wrong: bool


def plant(folder: Path) -> list[Planted]:
    """Write the templates into a folder, as JSON."""
    found: list[Planted] = []
    for file in sorted(_CORPUS.glob("*.yaml")):
        body = read_template(file).body
        for name, case in body["cases"].items():
            planted = Planted(f"case{len(found):03}", body.get("rule") or name.split()[0], bool(case["finds"]))
            template = {section: case[section] for section in _SECTIONS if section in case}
            template["Resources"] = {id_: _completed(each) for id_, each in template["Resources"].items()}
            (folder / f"{planted.name}.json").write_text(json.dumps(template, indent=1), encoding="utf-8")
            found.append(planted)
    return found


def _completed(resource: dict[str, Any]) -> dict[str, Any]:
    properties = {**_REQUIRED.get(resource["Type"], {}), **resource.get("Properties", {})}
    for list_, name in (("Targets", "Id"), ("Policies", "PolicyName")):
        if isinstance(items := properties.get(list_), list):
            properties[list_] = [{name: f"Number{number}", **item} for number, item in enumerate(items)]
    return {**resource, "Properties": properties} if properties else resource
