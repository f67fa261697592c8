"""The command `breakwater`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

try:
    import typer
    from rich.console import Console
except ImportError:  # the wheel without its extra
    sys.exit("The command breakwater needs the extra cli: pip install 'cdk-breakwater[cli]'")

if TYPE_CHECKING:
    from collections.abc import Callable

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Look at what a CDK app does to its databases.")


@app.command()
def plan(
    assembly: Annotated[Path, typer.Argument(help="The folder that `cdk synth` wrote.")] = Path("cdk.out"),
) -> None:
    """Show who takes which share of which downstream."""
    from .plan import read_plans, render

    try:
        plans = read_plans(assembly)
    except FileNotFoundError as error:
        raise _failed(error) from error
    if not plans:
        Console().print(f"{assembly} has no connection budget: no function in it names a database by cdk-breakwater.")
        return
    Console().print(render(plans))


@app.command()
def quota(stack: Annotated[str, typer.Argument(help="The name of a deployed stack.")]) -> None:
    """Show how far the quotas of a deployed stack are used, what waits, and when it will be drained."""
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    from ..errors import BreakwaterError
    from .quota_report import quota_table, quota_usage

    try:
        usages = quota_usage(stack, cast("Callable[[str], Any]", boto3.client))
    except (BotoCoreError, ClientError, BreakwaterError) as error:
        raise _failed(error) from error
    Console().print(quota_table(usages))


@app.command()
def redrive(
    stack: Annotated[str, typer.Argument(help="The name of a deployed stack.")],
    construct: Annotated[str | None, typer.Option(help="The path of a construct: only what is beneath it.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do it. Without this, nothing is moved.")] = False,
) -> None:
    """Show what failed for good in a deployed stack, and with --yes try it again.

    Messages go from dead-letter queues back to their queues; failed records of streams, from buckets to functions.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    from ..errors import BreakwaterError
    from .redrive import find_failures, redrive_table

    try:
        found = find_failures(stack, _client, construct)
        results = [each.redrive(_client) if each.waiting else "nothing to do" for each in found] if yes else None
    except (BotoCoreError, ClientError, BreakwaterError) as error:
        raise _failed(error) from error
    Console().print(redrive_table(found, results))
    if not yes and any(each.waiting for each in found):
        Console().print("Nothing was moved. When the cause is mended, say it again with --yes.")


def _client(service: str) -> Any:
    import boto3
    from botocore.config import Config

    if service != "lambda":
        return boto3.client(cast("Any", service))
    # An invocation lasts up to 900 s, and one that was repeated because its answer came late would run twice.
    return boto3.client("lambda", config=Config(read_timeout=910, retries={"total_max_attempts": 1}))


def _failed(error: Exception) -> typer.Exit:
    Console(stderr=True).print(str(error), style="red", markup=False)
    return typer.Exit(1)


def main() -> None:
    """Run the command."""
    app()
