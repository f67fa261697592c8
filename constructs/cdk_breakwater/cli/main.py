"""The command `breakwater`."""

from __future__ import annotations

import json
import sys
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

try:
    import typer
    from rich.console import Console
except ImportError:  # the wheel without its extra
    sys.exit("The command breakwater needs the extra cli: pip install 'cdk-breakwater[cli]'")

from ..limits.account_quota import ACCOUNT_CONCURRENCY
from .check import check_command
from .init import init_command
from .plain_output import write_plainly_where_needed
from .simulate import simulate_command

if TYPE_CHECKING:
    from .deployment_diff import Diff

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Look at what a CDK app does to its databases.")


Region = Annotated[str | None, typer.Option(help="AWS Region. Default: the one that is configured.")]
Profile = Annotated[str | None, typer.Option(help="Profile of the AWS configuration to log in with.")]


def _say_version(asked: bool) -> None:
    if asked:
        from breakwater_runtime._version import VERSION

        sys.stdout.write(f"cdk-breakwater {VERSION}\n")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Say which version this is.")
    ] = False,
) -> None:
    """Look at what a CDK app does to its databases."""


class Format(str, Enum):
    """How `plan` is written."""

    TABLE = "table"
    JSON = "json"
    MARKDOWN = "markdown"


@app.command()
def plan(  # noqa: PLR0917 -- the command's options
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

    assembly = _folder(assembly)
    _log_in(region, profile)
    try:
        plans = read_plans(assembly)
    except (OSError, BreakwaterError) as error:
        raise _failed(error) from error
    if diff is not None or deployed:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            # `--diff --deployed` reads as it is meant, though an option's value came to be the next option.
            old = None if deployed or diff == "--deployed" else diff
            found = _compare(assembly, old, account_concurrency, first_step)
        except (OSError, ValueError, BotoCoreError, ClientError, BreakwaterError) as error:
            raise _failed(error) from error
        _show(found, written)
        raise typer.Exit(found.severity)
    if written is Format.MARKDOWN:
        raise _failed(BreakwaterError("--format", "markdown is for --diff.", "Choose table or json."))
    if written is Format.JSON:
        sys.stdout.write(as_json(plans) + "\n")
        return
    if not plans:
        Console().print(f"{assembly} has no connection budget: no function in it names a database by cdk-breakwater.")
        return
    console = Console()
    console.print(render(plans, console.width), crop=False)


def _folder(assembly: Path) -> Path:
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
        before = read_deployed(new, assembly, _client)
    elif Path(old).is_file() and Path(old).name != "manifest.json":
        before = read_template(Path(old), new, assembly)
    else:
        folder = _folder(Path(old))
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


@app.command("measure-deployments")
def measure_deployments(
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

    _log_in(region, profile)
    try:
        facts = measure(_client)
    except (BotoCoreError, ClientError, BreakwaterError) as error:
        raise _failed(error) from error
    for sentence in facts.sentences():
        Console().print(sentence)


@app.command("raise")
def raise_(
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

    _log_in(region, profile)
    try:
        short = raise_reservations(stack, _client)
    except (BotoCoreError, ClientError, BreakwaterError) as error:
        raise _failed(error) from error
    for sentence in short or ["Everybody has the share."]:
        Console().print(sentence, markup=False)


@app.command()
def quota(
    stack: Annotated[str, typer.Argument(help="The name of a deployed stack.")],
    *,
    set_plan: Annotated[
        str | None, typer.Option(help="Write the plan of this key; '*': of all keys that have none.")
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
    from .quota_keys import keys_table
    from .quota_report import change_plan, quota_table, quota_usage

    if "" in (set_plan, clear_plan):
        raise _failed(
            BreakwaterError(stack, "the key is an empty text.", "Name one, or '*' for all that have no plan.")
        )
    if bool(set_plan) != bool(limit) or (set_plan and clear_plan):
        raise _failed(
            BreakwaterError(stack, "--set-plan and --limit go together.", "Give --set-plan KEY --limit SECONDS=LIMIT.")
        )
    _log_in(region, profile)
    try:
        if key := set_plan or clear_plan:
            name = change_plan(stack, _client, key, limit if set_plan else None, quota)
            Console().print(f"{name}: the plan holds within a quarter of a minute.", markup=False)
            return
        usages = quota_usage(stack, _client, quota=quota)
    except (BotoCoreError, ClientError, BreakwaterError) as error:
        raise _failed(error) from error
    Console().print(quota_table(usages))
    for usage in usages:
        if usage.keys:
            Console().print(keys_table(usage.keys))


@app.command()
def redrive(
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

    _log_in(region, profile)
    try:
        found = find_failures(stack, _client, construct)
        results = [each.redrive(_client) if each.waiting else "nothing to do" for each in found] if yes else None
    except (BotoCoreError, ClientError, BreakwaterError) as error:
        raise _failed(error) from error
    Console().print(redrive_table(found, results))
    if not yes and any(each.waiting for each in found):
        Console().print("Nothing was moved. When the cause is fixed, run the command again with --yes.")


@app.command()
def drill(  # noqa: PLR0917 -- the command's options
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

    console, assembly = Console(), _folder(assembly)
    _log_in(region, profile)
    try:
        sent = _payload(payload)
    except BreakwaterError as error:
        raise _failed(error, 2) from error
    try:
        with readable(assembly):
            paths = read_paths(assembly)
        drilled = prepare(
            stack, assembly, _client, functions=function or (), times=times, seconds=seconds, most_calls=most_calls
        )
        console.print(announcement(drilled))
        if not yes:
            console.print("Nothing was called. To do it, say it again with --yes.")
            return
        watch = Watch(paths, _client, alarm or ())
        if fired := watch.firing():
            raise BreakwaterError(stack, f"{', '.join(fired)} fires already.", "Mend that first.")
        with console.status(f"Calling for {seconds:g} s …"):
            outcome = run(drilled, sent, _client, watch.firing)
        with console.status(f"Waiting for CloudWatch's numbers, up to {wait:g} s …"):
            measured = watch.measured(drilled, outcome, wait)
    except (OSError, ValueError, BotoCoreError, ClientError, BreakwaterError) as error:
        raise _failed(error) from error
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


app.command("check")(check_command)
app.command("init")(init_command)
app.command("simulate")(simulate_command)


def _log_in(region: str | None, profile: str | None) -> None:
    """Take region and profile for every client that comes, where they are given."""
    if region is None and profile is None:
        return
    import boto3
    from botocore.exceptions import BotoCoreError

    try:
        boto3.setup_default_session(region_name=region, profile_name=profile)
    except BotoCoreError as error:
        raise _failed(error) from error


def _client(service: str) -> Any:
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


def _failed(error: Exception, exit_code: int = 1) -> typer.Exit:
    Console(stderr=True).print(str(error), style="red", markup=False)
    return typer.Exit(exit_code)


def main() -> None:
    """Run the command."""
    write_plainly_where_needed()
    app()
