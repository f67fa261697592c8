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

    from .errors import BreakwaterError
    from .quota_report import quota_table, quota_usage

    try:
        usages = quota_usage(stack, cast("Callable[[str], Any]", boto3.client))
    except (BotoCoreError, ClientError, BreakwaterError) as error:
        raise _failed(error) from error
    Console().print(quota_table(usages))


def _failed(error: Exception) -> typer.Exit:
    Console(stderr=True).print(str(error), style="red", markup=False)
    return typer.Exit(1)


def main() -> None:
    """Run the command."""
    app()
