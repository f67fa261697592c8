"""The code of the functions that are the library's own."""

from __future__ import annotations

from typing import Any

from aws_cdk import IgnoreMode
from aws_cdk import aws_lambda as lambda_

from .packaged_sources import handler_directory


def handler_code(package: str, handler: str) -> dict[str, Any]:
    """Return the props `code` and `handler` of a function.

    Parameters
    ----------
    package
        The package below `handlers`.
    handler
        Module and function within it.
    """
    directory = handler_directory(package)
    return {
        # The directory that holds the package, and of it nothing else.
        "code": lambda_.Code.from_asset(
            str(directory.parent),
            exclude=["*", f"!{directory.name}", f"!{directory.name}/*.py"],
            ignore_mode=IgnoreMode.GIT,
        ),
        "handler": f"{package}.{handler}",
    }
