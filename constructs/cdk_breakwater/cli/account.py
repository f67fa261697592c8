"""The account that a command looks at: how it logs in, its clients, and what it says where that fails."""

from __future__ import annotations

from typing import Annotated, Any, cast

import typer
from rich.console import Console

Region = Annotated[str | None, typer.Option(help="AWS Region. Default: the one that is configured.")]
Profile = Annotated[str | None, typer.Option(help="Profile of the AWS configuration to log in with.")]


def log_in(region: str | None, profile: str | None) -> None:
    """Take region and profile for every client that comes, where they are given."""
    if region is None and profile is None:
        return
    import boto3
    from botocore.exceptions import BotoCoreError

    try:
        boto3.setup_default_session(region_name=region, profile_name=profile)
    except BotoCoreError as error:
        raise failed(error) from error


def client(service: str) -> Any:
    """Make a client of boto3."""
    import boto3
    from botocore.config import Config

    if service != "lambda":
        return boto3.client(cast("Any", service))
    from .drill_plan import MOST_AT_ONCE

    # An invocation lasts up to 900 s, and one that was repeated because its answer came late would run twice.
    return boto3.client(
        "lambda",
        config=Config(read_timeout=910, retries={"total_max_attempts": 1}, max_pool_connections=MOST_AT_ONCE),
    )


def failed(error: Exception, exit_code: int = 1) -> typer.Exit:
    """Say what went wrong, and return what ends the command."""
    Console(stderr=True).print(str(error), style="red", markup=False)
    return typer.Exit(exit_code)
