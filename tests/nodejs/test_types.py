"""The declarations, by the TypeScript compiler, for both module kinds."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tests.nodejs.node_runner import NODE, LambdaFolder, sdk


@pytest.mark.parametrize("extension", ["mts", "cts"])
def test_types(folder: LambdaFolder, extension: str) -> None:
    file = folder.code / f"types.{extension}"
    if extension == "cts":
        shutil.copy(folder.code / "types.mts", file)
    compiler = sdk() / "typescript" / "bin" / "tsc"
    options = ["--noEmit", "--strict", "--target", "es2022", "--module", "nodenext", "--types", "node"]
    roots = ["--typeRoots", str(sdk() / "@types"), "--preserveSymlinks"]
    done = subprocess.run([NODE, compiler, *options, *roots, file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
