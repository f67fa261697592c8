"""What the Python layer holds: the package ``breakwater_runtime`` and drivers for the function's Python, no Docker."""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import BreakwaterError
from ..limits.aws_lambda import UNZIPPED_BYTES
from .build_cache import announced, cached, source_digest, source_files
from .bytecode import compile_modules, interpreter_of
from .wheels import install_wheels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .wheels import Target


def layer_content(where: str, target: Target, drivers: Sequence[str], certificate_authority: str | None) -> Path:
    """Make the folder of a layer, or find it in the cache.

    Parameters
    ----------
    where
        The construct's path, for errors.
    target
        The Python and architecture that the drivers are for.
    drivers
        pip requirements. One without a pinned version keeps the version that the cache got first.
    certificate_authority
        PEM that goes to ``breakwater_runtime/ca.pem``.

    Raises
    ------
    BreakwaterError
        A driver has no wheel for the target, it can't be downloaded, there is no uv to do it, or all together are
        more than Lambda takes.
    """
    source = runtime_source(where)
    installed = _drivers(where, target, drivers) if drivers else None
    interpreter = interpreter_of(target.python)

    def fill(folder: Path) -> None:
        python = folder / "python"
        if installed is None:
            python.mkdir()
        else:
            shutil.copytree(installed, python)
        for file in source_files(source):
            copy = python / "breakwater_runtime" / file.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
        if interpreter is not None:
            compile_modules(interpreter, target.python, folder)
        _check_size(where, python, drivers)
        if certificate_authority is not None:
            (python / "breakwater_runtime" / "ca.pem").write_text(certificate_authority, encoding="ascii")

    parts = [source_digest(source), installed.name if installed else "", certificate_authority or ""]
    if interpreter is not None:
        parts.append(f"bytecode of {target.python}")
    return cached(where, "layer", parts, fill)


def _check_size(where: str, folder: Path, drivers: Sequence[str]) -> None:
    size = sum(file.stat().st_size for file in folder.rglob("*"))
    if size > UNZIPPED_BYTES:
        raise BreakwaterError(
            where,
            f"the layer with {', '.join(drivers)} holds {size:,} bytes, and a function's code and layers may hold "
            f"{UNZIPPED_BYTES:,} together.",
            "Name fewer drivers, or make the function of a container image.",
        )


def _drivers(where: str, target: Target, drivers: Sequence[str]) -> Path:
    def fill(folder: Path) -> None:
        with announced(f"building the runtime layer: {', '.join(drivers)} for {target} …"):
            install_wheels(where, target, drivers, folder)

    files = [hashlib.sha256(Path(driver).read_bytes()).hexdigest() for driver in drivers if Path(driver).is_file()]
    return cached(where, "drivers", [target.python, target.architecture, *drivers, *files], fill)


def runtime_source(where: str) -> Path:
    """Return the folder of the package `breakwater_runtime`."""
    spec = importlib.util.find_spec("breakwater_runtime")
    if spec is None or not spec.submodule_search_locations:
        remedy = "Install cdk-breakwater anew; its wheel carries the package."
        raise BreakwaterError(where, "The package breakwater_runtime is not installed.", remedy)
    return Path(next(iter(spec.submodule_search_locations)))
