"""Where the functions' own code lies: beside this package in the wheel, in `lambda_src` in the repository."""

from __future__ import annotations

from pathlib import Path


def source_directory(name: str) -> Path:
    """Return a directory below `lambda_src`.

    Parameters
    ----------
    name
        Its path below `lambda_src`.

    Raises
    ------
    FileNotFoundError
        When it is in neither place: the installation is broken.
    """
    package = Path(__file__).parents[1]
    for root in (package / "lambda_src", package.parents[1] / "lambda_src"):
        directory = root / name
        if directory.is_dir():
            return directory
    raise FileNotFoundError(f"cdk_breakwater lacks lambda_src/{name}: install the package anew.")


def handler_directory(name: str) -> Path:
    """Return the directory of one handler.

    Parameters
    ----------
    name
        The directory's name below `handlers`.

    Raises
    ------
    FileNotFoundError
        When it is in neither place: the installation is broken.
    """
    return source_directory(f"handlers/{name}")
