"""Aliases and versions, and the function behind them: concurrency is reserved for a function as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from aws_cdk import Reference, Tokenization

from .kinds import is_alias, is_version

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aws_cdk import aws_lambda as lambda_
    from constructs import IConstruct

    from .parameter_types import Function


def unqualified(function: Function) -> lambda_.IFunction:
    """Return the function behind an alias or a version; a function as it is."""
    version = function.version if is_alias(function) else function
    return version.lambda_ if is_version(version) else cast("lambda_.IFunction", version)


def qualifiers(root: IConstruct, type_: type[Any]) -> Iterator[tuple[str, Any]]:
    """Give the `CfnAlias`es or `CfnVersion`s of an app, each with the path of the `CfnFunction` that it belongs to."""
    for resource in root.node.find_all():
        if isinstance(resource, type_):
            token: Any = Tokenization.reverse_string(resource.function_name).first_token
            known = token is not None and Reference.is_reference(token)
            yield token.target.node.path if known else resource.function_name, resource
