"""`breakwater simulate PATH…`: a burst against the limits that templates set, before it comes."""

from __future__ import annotations

import math
from pathlib import Path  # noqa: TC003 -- typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from ..errors import BreakwaterError
from ..limits.account_quota import ACCOUNT_CONCURRENCY
from ..simulation.application import Failover
from ..simulation.run import Model
from .check import CLEAN, FINDINGS, UNREADABLE, see_to
from .check_sources import Sources
from .given_parameters import parameters_of, see_to_parameters
from .simulate_answers import Answers
from .simulate_arguments import SHAPES, seconds
from .simulate_size import sizes
from .simulated_burst import DEFAULT_BURST, DEFAULT_DURATION, Burst, largest, run, without_limits
from .simulated_limits import read_limits
from .time_limit import TimeIsUp, limited

if TYPE_CHECKING:
    from .simulated_burst import Run
    from .simulated_limits import Limits

_FORMATS = ("table", "json")


def simulate_command(  # noqa: PLR0917 -- typer makes an option of each
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Templates (CloudFormation, SAM), cloud assemblies (cdk.out), or folders.", show_default=False
        ),
    ] = None,
    loads: Annotated[
        list[str] | None,
        typer.Option(
            "--load",
            metavar="[ENTRY=]SHAPE",
            help=f"What comes, at each entry or at one: {SHAPES}. Several add up. Default: spike:{DEFAULT_BURST} at "
            "each quota and each entry of a function that connects to a database.",
        ),
    ] = None,
    duration: Annotated[
        list[str] | None,
        typer.Option(metavar="[FUNCTION=]TIME", help="Of one request or message. Default: 200ms."),
    ] = None,
    variation: Annotated[
        float, typer.Option(min=0, max=10, help="Standard deviation of the duration, as a part of it.")
    ] = 0.0,
    cold_start: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[FUNCTION=]TIME", help="What a new environment takes before its first request. Default: 1s."
        ),
    ] = None,
    failing: Annotated[
        list[str] | None,
        typer.Option(metavar="[ENTRY=]PART", help="The part of messages that fail each time, such as 2%. Default: 0."),
    ] = None,
    keys: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[ENTRY=]NUMBER",
            help="Message groups of a FIFO queue, partition keys or items of a stream. Default: one for each message.",
        ),
    ] = None,
    weight: Annotated[
        list[str] | None,
        typer.Option(metavar="[QUOTA=]NUMBER", help="What a message weighs where a quota counts weights. Default: 1."),
    ] = None,
    idle: Annotated[str, typer.Option(help="After which an environment without work is ended.")] = "10m",
    deploy_at: Annotated[str | None, typer.Option(metavar="TIME", help="When new code takes over.")] = None,
    failover_at: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="TIME LENGTH", help="When the databases fail over, and for how long they refuse all."),
    ] = None,
    max_connections: Annotated[
        list[str] | None,
        typer.Option(metavar="[DATABASE=]NUMBER", help="What a database leaves to functions, instead of its own."),
    ] = None,
    connections: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[FUNCTION=]NUMBER", help="That one environment holds. Default: 1, and 2 of MongoDB's driver."
        ),
    ] = None,
    unlimited: Annotated[
        bool,
        typer.Option("--without-limits", help="Beside it, the same app without reservations, maxima and rates."),
    ] = False,
    compare: Annotated[
        Path | None, typer.Option(metavar="OTHER", help="Beside it, another assembly or template.")
    ] = None,
    find_max: Annotated[
        bool, typer.Option("--find-max", help="The largest load, of this shape, that no database refuses.")
    ] = False,
    size: Annotated[
        bool, typer.Option("--size", help="The smallest max_connections, class or ACUs for this load, and the price.")
    ] = False,
    parameter: Annotated[list[str] | None, typer.Option(help="NAME=VALUE of a template's parameter.")] = None,
    parameter_file: Annotated[Path | None, typer.Option(help="A file of parameters, as the AWS CLI takes it.")] = None,
    account_concurrency: Annotated[int | None, typer.Option(min=1, help="The account's quota. Default: 1,000.")] = None,
    model: Annotated[
        Model, typer.Option(help="events follows each request, binned computes amounts. auto: events up to 200,000.")
    ] = Model.AUTO,
    seed: Annotated[int, typer.Option(help="Of what is drawn: the same seed, the same run.")] = 1,
    patience: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="How long to go on after the last request. Default: 1h, or what the tiers of a quota take, unless "
            "that is more than 31 days.",
        ),
    ] = None,
    rows: Annotated[int, typer.Option(min=1, max=1000, help="Of the table over time.")] = 12,
    page: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write a page with plots.")] = None,
    picture: Annotated[
        Path | None, typer.Option("--png", metavar="FILE", help="Write the plots as a picture (extra png).")
    ] = None,
    format_: Annotated[str, typer.Option("--format", help=", ".join(_FORMATS))] = "table",
    time_limit: Annotated[int, typer.Option(min=1, help="Seconds after which it gives up.")] = 300,
) -> None:
    """Let a burst loose on the limits that templates set: queues, concurrency, connections, 429s and drain time.

    Exits with 0 where no database refuses a connection and no message is lost, with 1 where one does, and with 2 when
    something could not be read, or where the limit of a database is not known.
    """
    errors = Console(stderr=True)
    try:
        see_to("--format", format_, _FORMATS)
        if not paths:
            raise BreakwaterError("breakwater simulate", "no template is named.", "Name a path, such as cdk.out.")
        burst = Burst(
            tuple(loads or ()),
            tuple(duration or ()),
            variation,
            tuple(cold_start or ()),
            tuple(failing or ()),
            seconds("--idle", idle),
            seconds("--deploy-at", deploy_at) if deploy_at else math.inf,
            Failover(*(seconds("--failover-at", each) for each in failover_at)) if failover_at else None,
            tuple(max_connections or ()),
            tuple(connections or ()),
            model,
            seed,
            seconds("--patience", patience) if patience else None,
            tuple(weight or ()),
            tuple(keys or ()),
        )
        given = parameters_of(parameter or [], parameter_file)
        quota = account_concurrency or ACCOUNT_CONCURRENCY
        with limited(time_limit):
            runs = [run(_read(paths, given, quota, errors), burst, " ".join(map(str, paths)))]
            if unlimited:
                runs.append(run(without_limits(_read(paths, given, quota, None), quota), burst, "without limits"))
            if compare is not None:
                runs.append(run(_read([compare], given, quota, errors), burst, str(compare)))
            most = largest(runs[0], burst) if find_max else None
            needed = sizes(runs[0], burst) if size else None
        _show(runs, Answers(most, needed), format_, rows)
        for file, is_png in ((page, False), (picture, True)):
            if file is not None:
                _write_plots(runs, file, is_png=is_png)
                errors.print(f"Plots are in {file}.", markup=False, style="dim")
    except BreakwaterError as error:
        errors.print(str(error), style="red", markup=False, soft_wrap=True)
        raise typer.Exit(UNREADABLE) from error
    except TimeIsUp as error:
        errors.print(
            f"It took longer than {time_limit} s: take a shorter load, --model binned, or raise --time-limit.",
            style="red",
        )
        raise typer.Exit(UNREADABLE) from error
    if runs[0].is_harmful:
        raise typer.Exit(FINDINGS)
    for name in runs[0].unknown:
        problem = f"{name}: its max_connections is not known, so nobody knows whether it refuses anybody."
        errors.print(f"{problem} Say --max-connections '{name}=N'.", style="red", markup=False, soft_wrap=True)
    raise typer.Exit(UNREADABLE if runs[0].unknown else CLEAN)


def _read(paths: list[Path], parameters: dict[str, str], quota: int, errors: Console | None) -> Limits:
    """Read the templates of one app."""
    sources = Sources(quota, parameters)
    sources.read(paths)
    see_to_parameters(sources.unknown_parameters)
    if sources.unreadable:
        raise BreakwaterError("breakwater simulate", "; ".join(sources.unreadable) + ".", "Mend it, or name others.")
    for line in sources.notes if errors is not None else ():
        typer.echo(line, err=True)
    apps = [read_limits(assembly, DEFAULT_DURATION) for assembly in sources.assemblies]
    with_entries = [app for app in apps if app.entries]
    where = " ".join(map(str, paths))
    if not with_entries:
        what = "no function whose caller is simulated" if any(app.functions for app in apps) else "no function"
        raise BreakwaterError("breakwater simulate", f"{where} has {what}.", "Name the templates of an app.")
    if len(with_entries) > 1:
        problem = f"{where} has {len(with_entries)} apps, and one is simulated at a time."
        raise BreakwaterError("breakwater simulate", problem, "Name the files or the assembly of one of them.")
    return with_entries[0]


def _show(runs: list[Run], answers: Answers, format_: str, rows: int) -> None:
    from .simulate_report import report
    from .simulate_result import as_json

    if format_ == "json":
        typer.echo(as_json(runs, answers))
        return
    console = Console()
    if not console.is_terminal:
        console = Console(width=160)
    console.print(report(runs, answers, rows), highlight=False)


def _write_plots(runs: list[Run], file: Path, *, is_png: bool) -> None:
    from .simulate_page import html_page, png_picture

    option = "--png" if is_png else "--html"
    drawn = png_picture(runs) if is_png else html_page(runs).encode()
    try:
        file.write_bytes(drawn)
    except OSError as error:
        raise BreakwaterError(option, f"{file} can't be written ({error}).", "Name a file in a folder.") from error
