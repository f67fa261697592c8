"""One strict build."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

from . import links, pages

SITE = pages.ROOT / "build" / "site"


class BrokenSiteError(Exception):
    """What the generator or the check of the links found."""


def build(site: Path) -> None:
    """Build the site into the folder `site`, which is emptied first.

    Raises
    ------
    BrokenSiteError
        Where the generator warns, where a link leads nowhere, or where a page fetches something from another host.
    """
    with tempfile.TemporaryDirectory() as name:
        work = Path(name).resolve()
        settings = _settings(pages.write(work / "pages"))
        (work / "mkdocs.yml").write_text(yaml.dump(settings), encoding="utf-8")
        command = [sys.executable, "-m", "zensical", "build", "--strict", "--config-file", str(work / "mkdocs.yml")]
        generator = subprocess.run(command, cwd=work, capture_output=True, text=True, check=False)  # noqa: S603
        if generator.returncode:
            raise BrokenSiteError(generator.stdout + generator.stderr)
        (work / "site" / "404.html").unlink()  # for the root of a host, where the versions' own first page stands
        found = links.faults(work / "site")
        if found:
            raise BrokenSiteError("\n".join(found))
        shutil.rmtree(site, ignore_errors=True)
        site.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(work / "site", site)


def _settings(api: dict[str, list[str]]) -> dict[str, Any]:
    # the loader knows the slugify function by its name
    settings = yaml.unsafe_load((Path(__file__).parent / "zensical.yml").read_text(encoding="utf-8"))
    settings["docs_dir"], settings["site_dir"] = "pages", "site"
    reference = next(section["Reference"] for section in settings["nav"] if "Reference" in section)
    reference[:0] = [
        {f"API: {package}": [listed[0], *({page.split(".")[1]: page} for page in listed[1:])]}
        for package, listed in api.items()
    ]
    python = next(plugin["mkdocstrings"] for plugin in settings["plugins"] if "mkdocstrings" in plugin)
    paths = [str(pages.ROOT / folder) for folder in ("constructs", "lambda_src")]
    python["handlers"]["python"]["paths"] = paths
    python["handlers"]["python"]["options"]["extensions"] = [str(Path(__file__).parent / "grouped_parameters.py")]
    return settings
