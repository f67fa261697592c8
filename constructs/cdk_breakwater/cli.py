"""The command `breakwater`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

try:
    import typer
    from rich.console import Console
except ImportError:  # the wheel without its extra
    sys.exit("The command breakwater needs the extra cli: pip install 'cdk-breakwater[cli]'")

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Look at what a CDK app does to its databases.")


@app.callback()
def _commands() -> None:
    """Keep typer from making its only command the whole program."""


@app.command()
def plan(
    assembly: Annotated[Path, typer.Argument(help="The folder that `cdk synth` wrote.")] = Path("cdk.out"),
) -> None:
    """Show who takes which share of which downstream."""
    from .plan import read_plans, render

    try:
        plans = read_plans(assembly)
    except FileNotFoundError as error:
        Console(stderr=True).print(f"[red]{error}[/]")
        raise typer.Exit(1) from error
    if not plans:
        Console().print(f"{assembly} has no connection budget: no function in it names a database by cdk-breakwater.")
        return
    Console().print(render(plans))


def main() -> None:
    """Run the command."""
    app()
