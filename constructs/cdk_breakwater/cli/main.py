"""The command `breakwater`."""

from __future__ import annotations

import sys
from typing import Annotated

try:
    import typer
except ImportError:  # the wheel without its extra
    sys.exit("The command breakwater needs the extra cli: pip install 'cdk-breakwater[cli]'")

from .check import check_command
from .deployment_commands import measure_command, raise_command
from .drill_command import drill_command
from .init import init_command
from .plain_output import write_plainly_where_needed
from .plan_command import plan_command
from .quota_command import quota_command
from .redrive_command import redrive_command
from .simulate import simulate_command

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Look at what a CDK app does to its databases.")


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


app.command("plan")(plan_command)
app.command("measure-deployments")(measure_command)
app.command("raise")(raise_command)
app.command("quota")(quota_command)
app.command("redrive")(redrive_command)
app.command("drill")(drill_command)
app.command("check")(check_command)
app.command("init")(init_command)
app.command("simulate")(simulate_command)


def main() -> None:
    """Run the command."""
    write_plainly_where_needed()
    app()
