"""`breakwater redrive STACK`: what failed for good, and another try."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from .account import Profile, Region, client, failed, log_in


def redrive_command(
    stack: Annotated[str, typer.Argument(help="The name of a deployed stack.")],
    construct: Annotated[str | None, typer.Option(help="The path of a construct: only what is beneath it.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do it. Without this, nothing is moved.")] = False,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Show what failed for good in a deployed stack, and with --yes try it again.

    Messages go from dead-letter queues back to their queues; failed records of streams, from buckets to functions.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    from ..errors import BreakwaterError
    from .redrive import find_failures, redrive_table

    log_in(region, profile)
    try:
        found = find_failures(stack, client, construct)
        results = [each.redrive(client) if each.waiting else "nothing to do" for each in found] if yes else None
    except (BotoCoreError, ClientError, BreakwaterError) as error:
        raise failed(error) from error
    Console().print(redrive_table(found, results))
    if not yes and any(each.waiting for each in found):
        Console().print("Nothing was moved. When the cause is fixed, run the command again with --yes.")
