"""`breakwater init`: a small app that works, to begin with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ..errors import BreakwaterError

_STARTER = Path(__file__).parent / "starter"
_PLACES = {"gitignore": ".gitignore", "workflow.yml": ".github/workflows/check.yml"}
_NEXT = """\
An API, a queue, a function and a database, with a test and a workflow. Next:

    python -m venv .venv && . .venv/bin/activate
    pip install -r requirements.txt
    python -m pytest
    npx aws-cdk@2 synth --quiet
    breakwater plan
    breakwater check cdk.out"""


def init_command(
    folder: Annotated[Path, typer.Argument(help="Where the app goes; it is made if it does not exist.")] = Path(),
) -> None:
    """Write a small working app: an API, a queue, a function and a database, with a test and a CI workflow."""
    try:
        write_app(folder)
    except (OSError, BreakwaterError) as error:
        Console(stderr=True).print(str(error), style="red", markup=False)
        raise typer.Exit(1) from error
    Console().print(_NEXT, markup=False, highlight=False)


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
