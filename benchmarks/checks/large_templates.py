"""Large templates of the shapes that apps have."""

from __future__ import annotations

import json
from typing import Any

_SERVICES_OF_A_DATABASE = 5


def _ref(name: str) -> dict[str, Any]:
    return {"Ref": name}


def _att(name: str, attribute: str = "Arn") -> dict[str, Any]:
    return {"Fn::GetAtt": [name, attribute]}


def _sub(text: str) -> dict[str, Any]:
    return {"Fn::Sub": text}


def _resource(type_: str, **properties: Any) -> dict[str, Any]:
    return {"Type": f"AWS::{type_}", "Properties": properties}


def services(count: int) -> dict[str, Any]:
    """Give services of twenty resources each: an API, a queue and a schedule before functions, five on a database."""
    found: dict[str, Any] = {"Vpc": _resource("EC2::VPC", CidrBlock="10.0.0.0/16")}
    for n in range(2):
        found[f"Subnet{n}"] = _resource("EC2::Subnet", VpcId=_ref("Vpc"), CidrBlock=f"10.0.{n}.0/24")
    for n in range((count + _SERVICES_OF_A_DATABASE - 1) // _SERVICES_OF_A_DATABASE):
        found |= _database(str(n))
    for n in range(count):
        found |= _service(str(n), str(n // _SERVICES_OF_A_DATABASE))
    return {
        "Parameters": {"Stage": {"Type": "String", "Default": "dev"}},
        "Conditions": {
            "IsProduction": {"Fn::Equals": [_ref("Stage"), "prod"]},
            "IsAlarmed": {"Fn::Equals": [_ref("AWS::Region"), "eu-west-1"]},
        },
        "Resources": found,
    }


def _database(n: str) -> dict[str, Any]:
    password = _sub(f"{{{{resolve:secretsmanager:${{Secret{n}}}:SecretString:password}}}}")
    return {
        f"Secret{n}": _resource("SecretsManager::Secret", GenerateSecretString={"GenerateStringKey": "password"}),
        f"Attachment{n}": _resource(
            "SecretsManager::SecretTargetAttachment",
            SecretId=_ref(f"Secret{n}"),
            TargetId=_ref(f"Db{n}"),
            TargetType="AWS::RDS::DBCluster",
        ),
        f"DbGroup{n}": _resource("EC2::SecurityGroup", GroupDescription="database", VpcId=_ref("Vpc")),
        f"Parameters{n}": _resource(
            "RDS::DBClusterParameterGroup", Family="aurora-mysql8.0", Parameters={"max_connections": "500"}
        ),
        f"Db{n}": _resource(
            "RDS::DBCluster",
            Engine="aurora-mysql",
            EngineVersion="8.0.mysql_aurora.3.08.0",
            MasterUserPassword=password,
            VpcSecurityGroupIds=[_att(f"DbGroup{n}", "GroupId")],
            DBClusterParameterGroupName=_ref(f"Parameters{n}"),
        ),
        f"Writer{n}": _resource(
            "RDS::DBInstance",
            DBClusterIdentifier=_ref(f"Db{n}"),
            DBInstanceClass={"Fn::If": ["IsProduction", "db.r6g.xlarge", "db.t4g.medium"]},
            Engine="aurora-mysql",
        ),
    }


def _service(n: str, database: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    states = {"Work": {"Type": "Task", "Resource": "${Work}"}}
    environment = {"DB_HOST": _att(f"Db{database}", "Endpoint.Address"), "SECRET": _ref(f"Secret{database}")}
    for name in ("Front", "Work"):
        found |= {
            f"{name}Role{n}": _resource(
                "IAM::Role", AssumeRolePolicyDocument={"Statement": [_statement("sts:AssumeRole", "*")]}
            ),
            f"{name}Policy{n}": _resource(
                "IAM::Policy",
                Roles=[_ref(f"{name}Role{n}")],
                PolicyDocument={
                    "Statement": [
                        _statement("secretsmanager:GetSecretValue", _ref(f"Secret{database}")),
                        _statement("sqs:*", _att(f"Queue{n}")),
                        _statement("logs:PutLogEvents", "*"),
                    ]
                },
            ),
            f"{name}{n}": _resource(
                "Lambda::Function",
                Role=_att(f"{name}Role{n}"),
                Timeout=30 if name == "Work" else 10,
                Environment={"Variables": {**environment, "QUEUE": _ref(f"Queue{n}"), "STAGE": _ref("Stage")}},
                VpcConfig={
                    "SecurityGroupIds": [_att(f"Group{n}", "GroupId")],
                    "SubnetIds": [_ref("Subnet0"), _ref("Subnet1")],
                },
                **({"ReservedConcurrentExecutions": 5} if name == "Work" else {}),
            ),
        }
    return found | {
        f"Group{n}": _resource("EC2::SecurityGroup", GroupDescription="functions", VpcId=_ref("Vpc")),
        f"Ingress{n}": _resource(
            "EC2::SecurityGroupIngress",
            GroupId=_att(f"DbGroup{database}", "GroupId"),
            SourceSecurityGroupId=_att(f"Group{n}", "GroupId"),
            IpProtocol="tcp",
            FromPort=3306,
            ToPort=3306,
        ),
        f"Queue{n}": _resource(
            "SQS::Queue",
            VisibilityTimeout=180,
            RedrivePolicy={"deadLetterTargetArn": _att(f"Dead{n}"), "maxReceiveCount": 5},
        ),
        f"Dead{n}": _resource("SQS::Queue", MessageRetentionPeriod=1209600),
        f"Mapping{n}": _resource(
            "Lambda::EventSourceMapping",
            FunctionName=_ref(f"Work{n}"),
            EventSourceArn=_att(f"Queue{n}"),
            FunctionResponseTypes=["ReportBatchItemFailures"],
            ScalingConfig={"MaximumConcurrency": 5},
        ),
        f"Rule{n}": _resource(
            "Events::Rule", ScheduleExpression="rate(1 day)", Targets=[{"Id": "work", "Arn": _att(f"Front{n}")}]
        ),
        f"Api{n}": _resource("ApiGateway::RestApi", Name=f"orders{n}"),
        f"Method{n}": _resource(
            "ApiGateway::Method",
            RestApiId=_ref(f"Api{n}"),
            ResourceId=_att(f"Api{n}", "RootResourceId"),
            HttpMethod="POST",
            Integration={
                "Type": "AWS_PROXY",
                "Uri": _sub(
                    "arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/"
                    f"${{Front{n}.Arn}}/invocations"
                ),
            },
        ),
        f"Deployment{n}": _resource("ApiGateway::Deployment", RestApiId=_ref(f"Api{n}")),
        f"Stage{n}": _resource(
            "ApiGateway::Stage",
            RestApiId=_ref(f"Api{n}"),
            DeploymentId=_ref(f"Deployment{n}"),
            StageName=_ref("Stage"),
            MethodSettings=[
                {"HttpMethod": "*", "ResourcePath": "/*", "ThrottlingRateLimit": 50, "ThrottlingBurstLimit": 50}
            ],
        ),
        f"Permission{n}": _resource(
            "Lambda::Permission",
            Action="lambda:InvokeFunction",
            FunctionName=_att(f"Front{n}"),
            Principal="apigateway.amazonaws.com",
            SourceArn=_sub(f"arn:${{AWS::Partition}}:execute-api:${{AWS::Region}}:${{AWS::AccountId}}:${{Api{n}}}/*"),
        ),
        f"Alarm{n}": {
            **_resource(
                "CloudWatch::Alarm", Dimensions=[{"Name": "QueueName", "Value": _att(f"Dead{n}", "QueueName")}]
            ),
            "Condition": "IsAlarmed",
        },
        f"Machine{n}": _resource(
            "StepFunctions::StateMachine",
            DefinitionString=json.dumps({"StartAt": "Work", "States": states}),
            DefinitionSubstitutions={"Work": _att(f"Work{n}")},
        ),
    }


def _statement(action: str, resource: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource}


def databases_and_functions(functions: int, databases: int) -> dict[str, Any]:
    """Give functions that may all reach all databases, and that each read the secret of one."""
    group = _resource("EC2::SecurityGroup", GroupDescription="functions")
    found: dict[str, Any] = {"Group": group}
    for n in range(databases):
        ingress = {"IpProtocol": "tcp", "FromPort": 3306, "ToPort": 3306, "SourceSecurityGroupId": _ref("Group")}
        found |= _database(str(n))
        found[f"DbGroup{n}"]["Properties"]["SecurityGroupIngress"] = [ingress]
    for n in range(functions):
        statement = _statement("secretsmanager:GetSecretValue", _ref(f"Secret{n % databases}"))
        found[f"Role{n}"] = _resource("IAM::Role", Policies=[{"PolicyDocument": {"Statement": [statement]}}])
        found[f"Fn{n}"] = _resource(
            "Lambda::Function",
            Role=_att(f"Role{n}"),
            VpcConfig={"SecurityGroupIds": [_ref("Group")]},
            ReservedConcurrentExecutions=5,
        )
    return {"Conditions": {"IsProduction": {"Fn::Equals": [_ref("AWS::Region"), "eu-west-1"]}}, "Resources": found}
