"""`breakwater plan`: who takes which share, and what a deployment does to it."""

from __future__ import annotations

import sys
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from ..limits.account_quota import ACCOUNT_CONCURRENCY
from .account import Profile, Region, client, failed, log_in

if TYPE_CHECKING:
    from .deployment_diff import Diff


class Format(str, Enum):
    """How `plan` is written."""

    TABLE = "table"
    JSON = "json"
    MARKDOWN = "markdown"


def plan_command(  # noqa: PLR0917 -- the command's options
    assembly: Annotated[Path, typer.Argument(help="The folder that `cdk synth` wrote.")] = Path("cdk.out"),
    diff: Annotated[
        str | None,
        typer.Option(
            metavar="OLD", help="What is deployed, an assembly or a stack's template: show what a deployment does."
        ),
    ] = None,
    deployed: Annotated[bool, typer.Option("--deployed", help="As --diff, against what the account has.")] = False,
    written: Annotated[Format, typer.Option("--format", help="markdown is for --diff.")] = Format.TABLE,
    first_step: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Write the first of two deployments, for cdk deploy --app.")
    ] = None,
    account_concurrency: Annotated[
        int, typer.Option(help="The account's quota of concurrent executions.")
    ] = ACCOUNT_CONCURRENCY,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Show who takes which share of which downstream; with --diff, what a deployment does to it on its way.

    With --diff, the exit code is 0 where every instant is within the budget, 3 where one is above it, 4 where one is
    above all that the database takes, or needs more than the account can reserve.
    """
    from ..errors import BreakwaterError
    from .plan import as_json, read_plans, render

    assembly = assembly_folder(assembly)
    log_in(region, profile)
    try:
        plans = read_plans(assembly)
    except (OSError, BreakwaterError) as error:
        raise failed(error) from error
    if diff is not None or deployed:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            # `--diff --deployed` reads as it is meant, though an option's value came to be the next option.
            old = None if deployed or diff == "--deployed" else diff
            found = _compare(assembly, old, account_concurrency, first_step)
        except (OSError, ValueError, BotoCoreError, ClientError, BreakwaterError) as error:
            raise failed(error) from error
        _show(found, written)
        raise typer.Exit(found.severity)
    if written is Format.MARKDOWN:
        raise failed(BreakwaterError("--format", "markdown is for --diff.", "Choose table or json."))
    if written is Format.JSON:
        sys.stdout.write(as_json(plans) + "\n")
        return
    if not plans:
        Console().print(f"{assembly} has no connection budget: no function in it names a database by cdk-breakwater.")
        return
    console = Console()
    console.print(render(plans, console.width), crop=False)


def assembly_folder(assembly: Path) -> Path:
    """Take the manifest for the assembly that it lies in."""
    return assembly.parent if assembly.name == "manifest.json" else assembly


def _compare(assembly: Path, old: str | None, account_concurrency: int, first_step: Path | None) -> Diff:
    from .deployed import read_deployed, read_template
    from .deployment_diff import compare
    from .plan import readable
    from .reservations import read_state

    with readable(assembly):
        new = read_state(assembly)
    if old is None:
        before = read_deployed(new, assembly, client)
    elif Path(old).is_file() and Path(old).name != "manifest.json":
        before = read_template(Path(old), new, assembly)
    else:
        folder = assembly_folder(Path(old))
        with readable(folder):
            before = read_state(folder)
    if first_step is not None:
        from .first_step import write_first_step

        write_first_step(assembly, before, new, first_step)
    return compare(before, new, account_concurrency)


def _show(diff: Diff, written: Format) -> None:
    from .deployment_report import as_json, markdown, table

    if written is Format.TABLE:
        Console().print(table(diff))
    else:
        sys.stdout.write((as_json(diff) if written is Format.JSON else markdown(diff)) + "\n")
