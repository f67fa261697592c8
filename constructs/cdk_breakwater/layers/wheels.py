"""Wheels of drivers for a Lambda runtime, whatever the machine of the synth is: uv resolves for the target's markers.

pip would ask the Python that it runs under whether a dependency is needed, also with `--python-version`.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, NamedTuple

from ..errors import BreakwaterError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

# What an installer leaves about itself: it differs between machines, and nothing at run time reads it.
_INSTALLERS_OWN = (
    ".lock",
    *(f"*.dist-info/{name}" for name in ("INSTALLER", "RECORD", "REQUESTED", "*_url.json", "uv_*")),
)
# pip's settings of where packages come from, and uv's variable for each. Source: uv, "Environment variables".
_UV_VARIABLES = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "no-index": "UV_NO_INDEX",
    "constraint": "UV_CONSTRAINT",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
    "proxy": "ALL_PROXY",
}


class Target(NamedTuple):
    """A Lambda runtime's Python and architecture."""

    python: str
    """Such as ``3.14``."""
    architecture: str
    """``x86_64`` or ``arm64``."""

    def __str__(self) -> str:
        return f"Python {self.python} {self.architecture}"

    @property
    def glibc(self) -> int:
        """The minor version of the runtime's glibc 2.

        26 up to Python 3.11, which runs on Amazon Linux 2; 34 from 3.12, on Amazon Linux 2023. Sources: Lambda
        Developer Guide, "Lambda runtimes"; Amazon Linux 2023 User Guide, "Comparing AL2 and AL2023".
        """
        return 26 if int(self.python.partition(".")[2]) < 12 else 34

    @property
    def platform(self) -> str:
        """The platform as uv calls it: it knows glibc 2.17 and then none before 2.28."""
        machine = "aarch64" if self.architecture == "arm64" else self.architecture
        return f"{machine}-manylinux_2_{self.glibc if self.glibc >= 28 else 17}"


def install_wheels(where: str, target: Target, requirements: Sequence[str], folder: Path) -> None:
    """Download wheels, with what they depend on, and unpack them.

    Parameters
    ----------
    where
        The construct's path, for errors.
    target
        The Python and architecture that they are for.
    requirements
        As pip takes them.
    folder
        Where to.

    Raises
    ------
    BreakwaterError
        A requirement has no wheel for the target, or it can't be downloaded.
    """
    command = [*_uv(where), "pip", "install", "--quiet", "--python", sys.executable, "--target", str(folder)]
    command += ["--only-binary=:all:", "--python-version", target.python, "--python-platform", target.platform]
    done = subprocess.run(  # noqa: S603 -- uv with our own options; options among drivers are refused
        [*command, *requirements], capture_output=True, text=True, check=False, env=_settings()
    )
    if done.returncode:
        raise _failure(where, target, requirements, done.stderr)
    shutil.rmtree(folder / "bin", ignore_errors=True)
    for pattern in _INSTALLERS_OWN:
        for file in list(folder.glob(pattern)):
            file.unlink()


def _uv(where: str) -> list[str]:
    if importlib.util.find_spec("uv"):
        return [sys.executable, "-m", "uv"]
    if found := shutil.which("uv"):
        return [found]
    raise BreakwaterError(where, "The drivers need uv, which is not installed.", "Install it: pip install uv.")


def _settings() -> Mapping[str, str]:
    """Let uv download from where pip would, unless uv itself is told."""
    if any(name in os.environ for name in ("UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL", "UV_CONFIG_FILE")):
        return os.environ
    told = {name: ("," if name == "UV_FIND_LINKS" else " ").join(values) for name, values in _pip_settings().items()}
    # Who gave pip several indexes means what pip does with them: the best version of all.
    return {"UV_INDEX_STRATEGY": "unsafe-best-match", **told, **os.environ}


def _pip_settings() -> dict[str, list[str]]:
    if not importlib.util.find_spec("pip"):
        return {}
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    )
    found: dict[str, list[str]] = {}
    for line in listed.stdout.splitlines():
        match = re.fullmatch(r"(?:global|install|download|:env:)\.([a-z-]+)='(.*)'", line)
        if match and match[1] in _UV_VARIABLES:
            # The value of a setting with several lines is written with \n in it.
            found.setdefault(_UV_VARIABLES[match[1]], []).extend(match[2].replace("\\n", " ").split())
    return {variable: list(dict.fromkeys(values)) for variable, values in found.items()}


def _failure(where: str, target: Target, requirements: Sequence[str], output: str) -> BreakwaterError:
    said = " ".join(line.strip() for line in output.splitlines() if line.strip())[-600:]
    what = ", ".join(requirements)
    if "error sending request" in output or "Failed to fetch" in output:
        remedy = "Check the network, and the index that pip or uv is configured with."
        return BreakwaterError(where, f"The driver {what} could not be downloaded. ({said})", remedy)
    remedy = "Choose a version with such a wheel, another runtime or architecture, or a driver in pure Python."
    return BreakwaterError(
        where, f"The driver {what} has no wheel for {target}, glibc 2.{target.glibc}. ({said})", remedy
    )
