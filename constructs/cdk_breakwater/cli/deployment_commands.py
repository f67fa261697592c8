"""`breakwater measure-deployments` and `breakwater raise`: around a deployment of a guarded stack."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from .account import Profile, Region, client, failed, log_in


def measure_command(
    yes: Annotated[bool, typer.Option("--yes", help="Do it. Without this, nothing is made.")] = False,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Find out on your account what guard_deployments rests on, with a stack that is made for it and deleted again.

    It has two functions that nobody calls, with a reserved concurrency of up to 2 each, and a role that may do nothing.
    """
    if not yes:
        Console().print(
            "This makes a stack breakwater-measures-… in the account and Region that you are logged in to: two "
            "functions that nobody calls, with a reserved concurrency of up to 2 each, and a role that may do nothing. "
            "It changes them twice and deletes the stack, in a few minutes. Say it again with --yes."
        )
        return
    from botocore.exceptions import BotoCoreError, ClientError

    from ..errors import BreakwaterError
    from .deployment_facts import measure

    log_in(region, profile)
    try:
        facts = measure(client)
    except (BotoCoreError, ClientError, BreakwaterError) as error:
        raise failed(error) from error
    for sentence in facts.sentences():
        Console().print(sentence)


def raise_command(
    stack: Annotated[str, typer.Argument(help="The name of a deployed stack with guard_deployments.")],
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Raise the functions that a guarded deployment left below their shares, as far as there is room now.

    It never exceeds a budget, and leaves alone what was set to 0. It calls the stack's guard: lambda:InvokeFunction and
    cloudformation:ListStackResources are all that you need.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    from ..errors import BreakwaterError
    from .raise_reservations import raise_reservations

    log_in(region, profile)
    try:
        short = raise_reservations(stack, client)
    except (BotoCoreError, ClientError, BreakwaterError) as error:
        raise failed(error) from error
    for sentence in short or ["Everybody has the share."]:
        Console().print(sentence, markup=False)
