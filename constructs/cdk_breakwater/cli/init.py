"""`breakwater init`: a small app that works, to begin with."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ..errors import BreakwaterError

_STARTER = Path(__file__).parent / "starter"
_PLACES = {"gitignore": ".gitignore", "workflow.yml": ".github/workflows/check.yml"}
_NEXT = """\
This is a working app with an API, a queue, a function and a database, a test and a CI workflow. Next:

    {enter}python -m venv .venv && . .venv/bin/activate
    pip install -r requirements.txt
    python -m pytest
    npx aws-cdk@{cli} synth --quiet
    breakwater plan
    breakwater check cdk.out
    breakwater simulate cdk.out"""
# npm takes its tag `latest` for a range such as `@2`, and that can be older than the aws-cdk-lib which pip installs.
_CDK_CLI = "2.1148.1"


def init_command(
    folder: Annotated[Path, typer.Argument(help="Where the app goes; it is made if it does not exist.")] = Path(),
) -> None:
    """Write a small working app: an API, a queue, a function and a database, with a test and a CI workflow."""
    try:
        write_app(folder)
    except (OSError, BreakwaterError) as error:
        Console(stderr=True).print(str(error), style="red", markup=False)
        raise typer.Exit(1) from error
    enter = "" if folder.resolve() == Path.cwd() else f"cd {shlex.quote(str(folder))}\n    "
    Console().print(_NEXT.format(enter=enter, cli=_CDK_CLI), markup=False, highlight=False, soft_wrap=True)


def write_app(folder: Path) -> None:
    """Copy the app, and overwrite nothing.

    Parameters
    ----------
    folder
        Where it goes; it is made if it does not exist.

    Raises
    ------
    BreakwaterError
        When a file of the app exists already.
    OSError
        When the folder cannot be written.
    """
    files = {
        folder / _PLACES.get(file.name, file.relative_to(_STARTER).as_posix()): file
        for file in sorted(_STARTER.rglob("*"))
        if file.is_file() and "__pycache__" not in file.parts
    }
    if there := sorted(str(file.relative_to(folder)) for file in files if file.exists()):
        raise BreakwaterError(
            str(folder), f"{', '.join(there)} would be overwritten.", "Name an empty folder: breakwater init my-app."
        )
    for target, file in files.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.read_bytes())
