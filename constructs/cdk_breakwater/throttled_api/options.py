"""The props that a throttled API passes on to API Gateway's constructs, for type checkers and editors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aws_cdk import RemovalPolicy, Size
    from aws_cdk import aws_apigateway as apigateway
    from aws_cdk import aws_apigatewayv2 as apigatewayv2
    from aws_cdk import aws_iam as iam


class ApiOptions(TypedDict, total=False):
    """Every prop of `apigateway.RestApi` and of `apigatewayv2.HttpApi`."""

    # Both
    description: str | None
    disable_execute_api_endpoint: bool | None
    default_integration: apigateway.Integration | apigatewayv2.HttpRouteIntegration | None
    # apigateway.RestApi
    api_key_source_type: apigateway.ApiKeySourceType | None
    binary_media_types: Sequence[str] | None
    clone_from: apigateway.IRestApi | None
    min_compression_size: Size | None
    minimum_compression_size: float | None
    default_cors_preflight_options: apigateway.CorsOptions | dict[str, Any] | None
    default_method_options: apigateway.MethodOptions | dict[str, Any] | None
    cloud_watch_role: bool | None
    cloud_watch_role_removal_policy: RemovalPolicy | None
    deploy: bool | None
    deploy_options: apigateway.StageOptions | dict[str, Any] | None
    domain_name: apigateway.DomainNameOptions | dict[str, Any] | None
    endpoint_configuration: apigateway.EndpointConfiguration | dict[str, Any] | None
    endpoint_export_name: str | None
    endpoint_types: Sequence[apigateway.EndpointType] | None
    fail_on_warnings: bool | None
    parameters: Mapping[str, str] | None
    policy: iam.PolicyDocument | None
    rest_api_name: str | None
    retain_deployments: bool | None
    # apigatewayv2.HttpApi
    api_name: str | None
    cors_preflight: apigatewayv2.CorsPreflightOptions | dict[str, Any] | None
    create_default_stage: bool | None
    default_authorization_scopes: Sequence[str] | None
    default_authorizer: apigatewayv2.IHttpRouteAuthorizer | None
    default_domain_mapping: apigatewayv2.DomainMappingOptions | dict[str, Any] | None
    ip_address_type: apigatewayv2.IpAddressType | None
    route_selection_expression: bool | None


class FrontDoorOptions(ApiOptions, total=False):
    """What a front door passes on to its `ThrottledApi`."""

    acknowledge_no_authorization: str | None
    rate_limit_per_address: float | None


class RouteOptions(TypedDict, total=False):
    """Every option of `apigateway.Resource.add_method` and of `apigatewayv2.HttpApi.add_routes`."""

    # Both
    authorization_scopes: Sequence[str] | None
    authorizer: apigateway.IAuthorizer | apigatewayv2.IHttpRouteAuthorizer | None
    integration: apigateway.Integration | apigatewayv2.HttpRouteIntegration | None
    # apigateway.Resource.add_method
    api_key_required: bool | None
    authorization_type: apigateway.AuthorizationType | None
    method_responses: Sequence[apigateway.MethodResponse | dict[str, Any]] | None
    operation_name: str | None
    request_models: Mapping[str, apigateway.IModel] | None
    request_parameters: Mapping[str, bool] | None
    request_validator: apigateway.IRequestValidator | None
    request_validator_options: apigateway.RequestValidatorOptions | dict[str, Any] | None
