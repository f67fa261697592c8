"""`breakwater quota STACK`: what is used, what waits, and what a key is granted."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from .account import Profile, Region, client, failed, log_in


def quota_command(
    stack: Annotated[str, typer.Argument(help="The name of a deployed stack.")],
    *,
    set_plan: Annotated[
        str | None, typer.Option(help="Write the plan of this key, or of #HASH; '*': of all keys that have none.")
    ] = None,
    limit: Annotated[
        list[str] | None, typer.Option(help="Of the plan, SECONDS=LIMIT: what a tier of key_tiers grants the key.")
    ] = None,
    clear_plan: Annotated[str | None, typer.Option(help="Delete the plan of this key.")] = None,
    quota: Annotated[
        str | None, typer.Option(help="Which one, where the stack has several: its path, or the end.")
    ] = None,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Show how far the quotas of a deployed stack are used, what waits, and when it will be drained.

    Of a quota with keys: the busiest ones too. Or change what one key is granted.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    from ..errors import BreakwaterError
    from .quota_keys import check_plan_options, keys_table
    from .quota_report import change_plan, quota_table, quota_usage

    try:
        check_plan_options(stack, set_plan, limit, clear_plan)
    except BreakwaterError as error:
        raise failed(error) from error
    log_in(region, profile)
    try:
        if key := set_plan or clear_plan:
            name = change_plan(stack, client, key, limit if set_plan else None, quota)
            Console().print(f"{name}: the plan holds within a quarter of a minute.", markup=False)
            return
        usages = quota_usage(stack, client, quota=quota)
    except (BotoCoreError, ClientError, BreakwaterError) as error:
        raise failed(error) from error
    Console().print(quota_table(usages))
    for usage in usages:
        if usage.keys:
            Console().print(keys_table(usage.keys))
