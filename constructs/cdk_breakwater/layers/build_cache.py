"""Layers are built once per content into a cache, which may be deleted at any time.

It lies in ``$XDG_CACHE_HOME/cdk-breakwater``, or where the platform keeps caches.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tempfile
import threading
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import BreakwaterError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_QUIET_SECONDS = 2.0


@contextmanager
def announced(line: str) -> Iterator[None]:
    """Write the line to stderr if what follows takes long."""
    timer = threading.Timer(_QUIET_SECONDS, sys.stderr.write, [f"{line}\n"])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def cached(where: str, kind: str, parts: Sequence[str], fill: Callable[[Path], None]) -> Path:
    """Find the folder that was made of these parts, or let `fill` make it.

    Parameters
    ----------
    where
        The construct's path, for errors.
    kind
        What the folder is, the beginning of its name.
    parts
        All that its content depends on.
    fill
        Fills an empty folder.

    Raises
    ------
    BreakwaterError
        The cache can't be written.
    """
    digest = hashlib.sha256(json.dumps([kind, *parts]).encode()).hexdigest()[:32]
    folder = _cache_folder() / f"{kind}-{digest}"
    if folder.is_dir():
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        building = Path(tempfile.mkdtemp(prefix=f".{kind}-", dir=folder.parent))
    except OSError as error:
        remedy = "Set XDG_CACHE_HOME to a folder that can be written."
        raise BreakwaterError(where, f"The cache {folder.parent} can't be written ({error}).", remedy) from error
    try:
        building.chmod(0o755)
        fill(building)
        # A synth at the same time may have been faster; what it built is the same.
        if not folder.is_dir():
            try:
                building.rename(folder)
            except OSError:
                if not folder.is_dir():
                    raise
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return folder


def _cache_folder() -> Path:
    from platformdirs import user_cache_path

    if given := os.environ.get("XDG_CACHE_HOME"):  # also where the platform has another place of its own
        return Path(given) / "cdk-breakwater"
    return user_cache_path("cdk-breakwater", appauthor=False)


def source_files(source: Path) -> list[Path]:
    """List the files below a folder, without what Python compiled."""
    return sorted(file for file in source.rglob("*") if file.is_file() and "__pycache__" not in file.parts)


@cache
def source_digest(source: Path) -> str:
    """Return a digest of all files below a folder; files don't change during a synth."""
    digest = hashlib.sha256()
    for file in source_files(source):
        digest.update(json.dumps([file.relative_to(source).as_posix(), file.stat().st_size]).encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()
