"""`breakwater drill STACK`: a burst on a deployed stack, beside its plan."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from .account import Profile, Region, client, failed, log_in
from .plan_command import assembly_folder


def drill_command(  # noqa: PLR0917 -- the command's options
    stack: Annotated[str, typer.Argument(help="The name of a deployed stack.")],
    payload: Annotated[str, typer.Option(help="What each call sends: JSON, or @FILE.")],
    assembly: Annotated[Path, typer.Option(help="The folder that `cdk synth` wrote.")] = Path("cdk.out"),
    function: Annotated[list[str] | None, typer.Option(help="The name of a share. Default: all of the stack.")] = None,
    times: Annotated[
        float, typer.Option(min=0.1, max=100, help="Calls at once, as a multiple of what is reserved.")
    ] = 1.5,
    seconds: Annotated[float, typer.Option(min=1, max=300, help="How long.")] = 10,
    most_calls: Annotated[int, typer.Option(min=1, max=100_000, help="How many calls at most.")] = 1_000,
    alarm: Annotated[list[str] | None, typer.Option(help="A further alarm that stops it.")] = None,
    wait: Annotated[float, typer.Option(min=0, max=3600, help="Seconds to wait for CloudWatch's numbers.")] = 180,
    yes: Annotated[bool, typer.Option("--yes", help="Do it. Without this, nothing is called.")] = False,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Call the functions of a deployed stack in a burst, and compare what was seen with the plan.

    The exit code is 0 where the database refused nobody, 1 where nothing was shown, 3 where it refused calls or had
    more connections than planned, 4 where an alarm stopped it.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    from ..errors import BreakwaterError
    from .drill import run
    from .drill_plan import prepare
    from .drill_report import announcement, report, verdict
    from .drill_watch import Watch
    from .plan import readable
    from .reservations import read_paths

    console, assembly = Console(), assembly_folder(assembly)
    log_in(region, profile)
    try:
        sent = _payload(payload)
    except BreakwaterError as error:
        raise failed(error, 2) from error
    try:
        with readable(assembly):
            paths = read_paths(assembly)
        drilled = prepare(
            stack, assembly, client, functions=function or (), times=times, seconds=seconds, most_calls=most_calls
        )
        console.print(announcement(drilled))
        if not yes:
            console.print("Nothing was called. To do it, say it again with --yes.")
            return
        watch = Watch(paths, client, alarm or ())
        if fired := watch.firing():
            raise BreakwaterError(stack, f"{', '.join(fired)} fires already.", "Mend that first.")
        with console.status(f"Calling for {seconds:g} s …"):
            outcome = run(drilled, sent, client, watch.firing)
        with console.status(f"Waiting for CloudWatch's numbers, up to {wait:g} s …"):
            measured = watch.measured(drilled, outcome, wait)
    except (OSError, ValueError, BotoCoreError, ClientError, BreakwaterError) as error:
        raise failed(error) from error
    console.print(report(drilled, outcome, measured))
    raise typer.Exit(verdict(drilled, outcome, measured))


def _payload(given: str) -> bytes:
    from ..errors import BreakwaterError

    try:
        text = Path(given[1:]).read_text(encoding="utf-8") if given.startswith("@") else given
        json.loads(text)
    except OSError as error:
        raise BreakwaterError("--payload", f"{given[1:]} can't be read ({error}).", "Give JSON, or @FILE.") from error
    except ValueError as error:
        raise BreakwaterError("--payload", f"it is not JSON: {error}.", "Give JSON, or @FILE.") from error
    return text.encode()
