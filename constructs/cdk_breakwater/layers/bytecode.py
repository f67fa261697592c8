"""Bytecode for a layer: Lambda can't write it to ``/opt``, so without it each cold start compiles every module anew.

It is made where the machine has the target's Python, and left out elsewhere. The asset's hash leaves it out, so that
machines with and without that Python agree on the template.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

# An unchecked-hash file is valid whatever the time of its source, which unzipping sets. Python reads those of its own
# tag alone, and looks at their magic number. Source: PEP 552; PEP 3147.
_COMPILE = """
import sys
from compileall import compile_dir
from py_compile import PycInvalidationMode
tag, folder = sys.argv[1:]
if sys.implementation.cache_tag == tag:
    unchecked = PycInvalidationMode.UNCHECKED_HASH
    compile_dir(folder, quiet=2, invalidation_mode=unchecked, stripdir=folder, prependdir="/opt")
"""


def interpreter_of(python: str) -> str | None:
    """Find a Python of a minor version, such as "3.14", on this machine."""
    ours = "{}.{}".format(*sys.version_info)
    return sys.executable if python == ours else shutil.which(f"python{python}")


def compile_modules(interpreter: str, python: str, folder: Path) -> None:
    """Put bytecode beside each module below a folder; one that can't be compiled stays source."""
    tag = f"cpython-{python.replace('.', '')}"
    subprocess.run([interpreter, "-I", "-c", _COMPILE, tag, str(folder)], capture_output=True, check=False)  # noqa: S603
