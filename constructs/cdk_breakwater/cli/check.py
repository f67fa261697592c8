"""`breakwater check PATH…`: the limits of any CloudFormation template, before or after it is deployed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer
from rich.console import Console

from ..checks import RULES, Severity, check
from ..errors import BreakwaterError
from ..limits.account_quota import ACCOUNT_CONCURRENCY
from .check_exceptions import (
    SEVERITIES,
    Settings,
    fingerprint,
    kept,
    known_rule,
    read_baseline,
    read_settings,
    write_baseline,
)
from .check_formats import FORMATS
from .check_report import explanation, report_table, severity_of
from .check_sources import Sources
from .given_parameters import parameters_of, see_to_parameters
from .time_limit import TimeIsUp, limited

if TYPE_CHECKING:
    from ..checks import Finding, Rule

CLEAN, FINDINGS, UNREADABLE = 0, 1, 2
_NO_QUOTA = (
    f"The account's concurrency may not be asked (lambda:GetAccountSettings); taken for {ACCOUNT_CONCURRENCY:,}, "
    "unless --account-concurrency says otherwise."
)
_SETTINGS = Path(".breakwater.yaml")


def check_command(  # noqa: PLR0917 -- typer makes an option of each
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Templates (CloudFormation, SAM), cloud assemblies (cdk.out), or folders.", show_default=False
        ),
    ] = None,
    stack: Annotated[list[str] | None, typer.Option(help="A deployed stack instead of a file.")] = None,
    region: Annotated[str | None, typer.Option(help="Without --stack: every deployed stack of the Region.")] = None,
    profile: Annotated[str | None, typer.Option(help="Profile of the AWS configuration to log in with.")] = None,
    parameter: Annotated[list[str] | None, typer.Option(help="NAME=VALUE of a template's parameter.")] = None,
    parameter_file: Annotated[Path | None, typer.Option(help="A file of parameters, as the AWS CLI takes it.")] = None,
    format_: Annotated[str, typer.Option("--format", help=f"table, {', '.join(FORMATS)}")] = "table",
    rule: Annotated[list[str] | None, typer.Option(help="Only this rule.")] = None,
    skip: Annotated[list[str] | None, typer.Option(help="Not this rule.")] = None,
    severity: Annotated[str, typer.Option(help=f"The mildest that is shown: {', '.join(SEVERITIES)}.")] = "note",
    strict: Annotated[
        bool, typer.Option("--strict", help="Notes and rules on trial fail the command as well.")
    ] = False,
    account_concurrency: Annotated[int | None, typer.Option(min=1, help="The account's quota. Default: 1,000.")] = None,
    settings: Annotated[Path, typer.Option(help="Exceptions, rules and severities.")] = _SETTINGS,
    baseline: Annotated[Path | None, typer.Option(help="What was there before, which is not shown.")] = None,
    write: Annotated[Path | None, typer.Option("--write-baseline", help="Write down what is there now.")] = None,
    explain: Annotated[str | None, typer.Option(help="Tell everything of one rule.")] = None,
    all_rows: Annotated[bool, typer.Option("--all", help="Show each resource.")] = False,
    time_limit: Annotated[int, typer.Option(min=1, help="Seconds after which it gives up.")] = 300,
) -> None:
    """Check the limits between functions and databases, queues, streams and APIs in templates.

    Exits with 0 when there is nothing to find, with 1 when there is, and with 2 when something could not be read.
    """
    errors = Console(stderr=True)
    try:
        if explain:
            Console().print(explanation(_rule(explain)))
            return
        if not paths and not stack and not region:
            raise BreakwaterError("breakwater check", "there is nothing to check.", "Name a path, --stack or --region.")
        see_to("--format", format_, ("table", *FORMATS))
        see_to("--severity", severity, tuple(SEVERITIES))
        chosen = _rules(rule or [], skip or [])
        own = read_settings(settings) if settings != _SETTINGS or settings.is_file() else Settings()
        before = read_baseline(baseline) if baseline else set()
        with limited(time_limit):
            sources = Sources(
                account_concurrency or ACCOUNT_CONCURRENCY, parameters_of(parameter or [], parameter_file)
            )
            sources.read(paths or [])
            see_to_parameters(sources.unknown_parameters)
            if stack or (region and not paths):
                _read_deployed(sources, stack or [], region, profile, quota_is_given=account_concurrency is not None)
            applied = [each for each in chosen if each.id not in own.skip]
            reports = [check(assembly, applied) for assembly in sources.assemblies]
    except BreakwaterError as error:
        errors.print(str(error), style="red", markup=False, soft_wrap=True)
        raise typer.Exit(UNREADABLE) from error
    except TimeIsUp as error:
        errors.print(f"It took longer than {time_limit} s: name fewer files, or raise --time-limit.", style="red")
        raise typer.Exit(UNREADABLE) from error

    try:
        every = (each for report in reports for each in report.findings)
        found, meant = kept(every, own, sources.acknowledgments)
        if write:
            errors.print(f"{write_baseline(write, found)} findings are written down in {write}.", markup=False)
    except BreakwaterError as error:
        errors.print(str(error), style="red", markup=False, soft_wrap=True)
        raise typer.Exit(UNREADABLE) from error
    failures = [failure.text for report in reports for failure in report.failures]
    found = [each for each in found if severity_of(*each) <= SEVERITIES[severity] and fingerprint(*each) not in before]
    found.sort(key=lambda each: severity_of(*each))
    _print(found, sources, format_, all_rows=all_rows)
    for line in [*(sources.unreadable if format_ == "table" else []), *sources.notes, *failures]:
        typer.echo(line, err=True)
    if meant and format_ == "table":
        errors.print(f"{meant} more are meant: acknowledged or suppressed.", style="dim")
    raise typer.Exit(_exit_code(found, sources, strict=strict, written=write is not None))


def see_to(option: str, given: str, known: tuple[str, ...]) -> None:
    """Refuse what an option does not know."""
    if given not in known:
        raise BreakwaterError(option, f"there is no {given!r}.", f"Take one of {', '.join(known)}.")


def _exit_code(found: list[tuple[Rule, Finding]], sources: Sources, *, strict: bool, written: bool) -> int:
    if sources.unreadable:
        return UNREADABLE
    failing = [
        rule for rule, finding in found if strict or (severity_of(rule, finding) < Severity.NOTE and not rule.trial)
    ]
    return FINDINGS if failing and not written else CLEAN


def _print(found: list[tuple[Rule, Finding]], sources: Sources, format_: str, *, all_rows: bool) -> None:
    def place(finding: Finding) -> tuple[str, int]:
        file = finding.resource.template.path
        return file.as_posix(), sources.line(file, finding.resource.logical_id, finding.location)

    if format_ != "table":
        typer.echo(FORMATS[format_](found, place, sources.unreadable))
        return
    console = Console()
    if not console.is_terminal:
        console = Console(width=160)
    if found:
        console.print(report_table(found, lambda finding: "{}:{}".format(*place(finding)), all_rows=all_rows))
    templates = sum(len(assembly.templates) for assembly in sources.assemblies)
    console.print(f"{_count(len(found), 'finding')} in {_count(templates, 'template')}.", highlight=False)


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _rule(name: str) -> Rule:
    id_ = known_rule("--explain", name)
    return next(rule for rule in RULES if rule.id == id_)


def _rules(only: list[str], skip: list[str]) -> list[Rule]:
    chosen = {known_rule("--rule", name) for name in only} or {rule.id for rule in RULES}
    chosen -= {known_rule("--skip", name) for name in skip}
    return [rule for rule in RULES if rule.id in chosen]


def _read_deployed(
    sources: Sources, stacks: list[str], region: str | None, profile: str | None, *, quota_is_given: bool
) -> None:
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    from .check_deployed import account_quota, read_deployed

    try:
        session = boto3.Session(profile_name=profile, region_name=region)
    except BotoCoreError as error:  # a profile that is not there
        raise BreakwaterError("breakwater check", f"{error}.", "Name a profile of the AWS configuration.") from error

    def client(service: str) -> Any:
        return session.client(cast("Any", service))

    try:
        quota = None if quota_is_given else account_quota(client)
        if quota is not None:
            sources.account_concurrency = quota
        elif not quota_is_given:
            sources.notes.append(_NO_QUOTA)
        read_deployed(sources, stacks, client, region or "unknown-region")
    except (BotoCoreError, ClientError) as error:
        raise BreakwaterError(
            "breakwater check", f"AWS can't be read ({error}).", "Name a stack, and check your permissions."
        ) from error
