"""What the Python layer holds: the package ``breakwater_runtime`` and drivers for the function's Python, no Docker."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..errors import BreakwaterError
from .build_cache import announced, cached, source_digest, source_files

if TYPE_CHECKING:
    from collections.abc import Sequence

# pip evaluates the markers of dependencies ("typing-extensions; python_version < '3.13'") for the Python that it runs
# under, also with --python-version. This runs it with the target's.
_PIP_FOR_TARGET = """
import json, sys
from pip._vendor.packaging import markers
environment = json.loads(sys.argv.pop(1))
host = markers.default_environment
markers.default_environment = lambda: {**host(), **environment}
from pip._internal.cli.main import main
sys.exit(main(sys.argv[1:]))
"""
# What an installer leaves about itself: it differs between machines, and nothing at run time reads it.
_INSTALLERS_OWN = (
    ".lock",
    *(f"*.dist-info/{name}" for name in ("INSTALLER", "RECORD", "REQUESTED", "*_url.json", "uv_*")),
)


class Target(NamedTuple):
    """A Lambda runtime's Python and architecture."""

    python: str
    """Such as ``3.14``."""
    architecture: str
    """``x86_64`` or ``arm64``."""

    def __str__(self) -> str:
        return f"Python {self.python} {self.architecture}"

    @property
    def machine(self) -> str:
        """The architecture as wheels call it."""
        return "aarch64" if self.architecture == "arm64" else self.architecture

    @property
    def glibc(self) -> int:
        """The minor version of the runtime's glibc 2.

        26 up to Python 3.11, which runs on Amazon Linux 2; 34 from 3.12, on Amazon Linux 2023. Sources: Lambda
        Developer Guide, "Lambda runtimes"; Amazon Linux 2023 User Guide, "Comparing AL2 and AL2023".
        """
        return 26 if int(self.python.partition(".")[2]) < 12 else 34

    @property
    def platforms(self) -> list[str]:
        """The platform tags of the wheels that run there, best first. pip adds manylinux2010 and 1 by itself."""
        tags = [f"manylinux_2_{minor}_{self.machine}" for minor in range(self.glibc, 16, -1)]
        return [*tags, f"manylinux2014_{self.machine}"]

    @property
    def markers(self) -> dict[str, str]:
        """The environment that dependency markers see."""
        return {
            "implementation_name": "cpython",
            "os_name": "posix",
            "platform_machine": self.machine,
            "platform_python_implementation": "CPython",
            "platform_system": "Linux",
            "python_full_version": f"{self.python}.0",
            "python_version": self.python,
            "sys_platform": "linux",
        }


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
        A driver has no wheel for the target, it can't be downloaded, or there is no pip or uv to do it.
    """
    source = _runtime_source(where)
    installed = _drivers(where, target, drivers) if drivers else None

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
        if certificate_authority is not None:
            (python / "breakwater_runtime" / "ca.pem").write_text(certificate_authority, encoding="ascii")

    parts = [source_digest(source), installed.name if installed else "", certificate_authority or ""]
    return cached(where, "layer", parts, fill)


def _drivers(where: str, target: Target, drivers: Sequence[str]) -> Path:
    def fill(folder: Path) -> None:
        with announced(f"building the runtime layer: {', '.join(drivers)} for {target} …"):
            command = _pip(where, target, folder)
            done = subprocess.run(  # noqa: S603 -- pip or uv with our own options; options among drivers are refused
                [*command, *drivers], capture_output=True, text=True, check=False, env=_installer_environment()
            )
        if done.returncode:
            raise _failure(where, target, drivers, done.stderr)
        shutil.rmtree(folder / "bin", ignore_errors=True)
        for pattern in _INSTALLERS_OWN:
            for file in list(folder.glob(pattern)):
                file.unlink()

    files = [hashlib.sha256(Path(driver).read_bytes()).hexdigest() for driver in drivers if Path(driver).is_file()]
    return cached(where, "drivers", [target.python, target.architecture, *drivers, *files], fill)


def _pip(where: str, target: Target, folder: Path) -> list[str]:
    if importlib.util.find_spec("pip"):
        command = [sys.executable, "-c", _PIP_FOR_TARGET, json.dumps(target.markers), "install", "--no-compile"]
        command += ["--implementation", "cp", "--disable-pip-version-check", "--no-input"]
        command += [f"--platform={platform}" for platform in target.platforms]
    elif uv := _uv():
        command = [*uv, "pip", "install", "--python", sys.executable]
        command += ["--python-platform", f"{target.machine}-manylinux_2_{28 if target.glibc >= 28 else 17}"]
    else:
        remedy = "Install one of them in the environment of the CDK app: python -m ensurepip, or pip install uv."
        raise BreakwaterError(where, f"The drivers need pip or uv, and {sys.executable} has neither.", remedy)
    return [*command, "--quiet", "--only-binary=:all:", f"--python-version={target.python}", f"--target={folder}"]


def _uv() -> list[str] | None:
    if importlib.util.find_spec("uv"):
        return [sys.executable, "-m", "uv"]
    found = shutil.which("uv")
    return [found] if found else None


def _installer_environment() -> dict[str, str]:
    """Keep the user's own settings (index, proxy, constraints), but for those that contradict ``--target``."""
    return {**os.environ, "PIP_USER": "0", "PIP_REQUIRE_VIRTUALENV": "0"}


def _failure(where: str, target: Target, drivers: Sequence[str], output: str) -> BreakwaterError:
    named = re.search(r"No matching distribution found for (\S+)", output)
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    said = " ".join([line for line in lines if line.startswith("ERROR")] or lines)[-600:]
    what = named[1] if named else ", ".join(drivers)
    if "Retrying (" in output or "error sending request" in output:
        remedy = "Check the network and the index that pip or uv is configured with."
        return BreakwaterError(where, f"The driver {what} could not be downloaded. ({said})", remedy)
    remedy = "Choose a version with such a wheel, another runtime or architecture, or a driver in pure Python."
    return BreakwaterError(
        where, f"The driver {what} has no wheel for {target}, glibc 2.{target.glibc}. ({said})", remedy
    )


def _runtime_source(where: str) -> Path:
    spec = importlib.util.find_spec("breakwater_runtime")
    if spec is None or not spec.submodule_search_locations:
        remedy = "Install cdk-breakwater anew; its wheel carries the package."
        raise BreakwaterError(where, "The package breakwater_runtime is not installed.", remedy)
    return Path(next(iter(spec.submodule_search_locations)))
