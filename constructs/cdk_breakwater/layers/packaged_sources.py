"""Where the functions' own code lies: beside this package in the wheel, in `lambda_src` in the repository."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType


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
    raise FileNotFoundError(f"cdk_breakwater lacks lambda_src/{name}: reinstall the package.")


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


def handler_module(package: str, module: str) -> ModuleType:
    """Load a module of a handler that is plain arithmetic, which the command line and the tests compute with, too.

    Parameters
    ----------
    package
        The directory's name below `handlers`.
    module
        A module in it that imports nothing but the standard library.

    Raises
    ------
    FileNotFoundError
        When it is not there: the installation is broken.
    """
    name = f"cdk_breakwater.handlers.{package}.{module}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, handler_directory(package) / f"{module}.py")
        if spec is None or spec.loader is None:
            raise FileNotFoundError(f"cdk_breakwater lacks {module}.py of {package}: reinstall the package.")
        loaded = sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(loaded)
    return sys.modules[name]
