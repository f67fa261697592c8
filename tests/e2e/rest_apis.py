"""What CloudFormation does with a REST API and the emulator's leaves out, by the calls that CloudFormation makes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from demo.emulator import Emulator


def validate_requests(account: Emulator, stack: str) -> None:
    """Give methods the request validators that the template gives them."""
    gateway, resources = account.client("apigateway"), account.resources(stack)
    for method in _properties(resources, "AWS::ApiGateway::Method"):
        if "RequestValidatorId" in method:
            validator = resources[method["RequestValidatorId"]["Ref"]]["Properties"]
            api = account.physical_id(stack, method["RestApiId"]["Ref"])
            made = gateway.create_request_validator(restApiId=api, validateRequestBody=validator["ValidateRequestBody"])
            gateway.update_method(
                restApiId=api,
                resourceId=account.physical_id(stack, method["ResourceId"]["Ref"]),
                httpMethod=method["HttpMethod"],
                patchOperations=[{"op": "replace", "path": "/requestValidatorId", "value": made["id"]}],
            )


def limit_routes(account: Emulator, stack: str) -> None:
    """Give routes their own limits, whose paths the emulator takes as they are written."""
    gateway = account.client("apigateway")
    for stage in _properties(account.resources(stack), "AWS::ApiGateway::Stage"):
        operations = [
            {
                "op": "replace",
                "path": f"{setting['ResourcePath']}/{setting['HttpMethod']}/{path}",
                "value": f"{setting[name]}",
            }
            for setting in stage["MethodSettings"]
            for name, path in (
                ("ThrottlingRateLimit", "throttling/rateLimit"),
                ("ThrottlingBurstLimit", "throttling/burstLimit"),
            )
            if setting["ResourcePath"] != "/*"
        ]
        if operations:
            gateway.update_stage(
                restApiId=account.physical_id(stack, stage["RestApiId"]["Ref"]),
                stageName=stage["StageName"],
                patchOperations=operations,
            )


def _properties(resources: dict[str, dict[str, Any]], resource_type: str) -> Iterator[dict[str, Any]]:
    return (resource["Properties"] for resource in resources.values() if resource["Type"] == resource_type)
