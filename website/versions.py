"""The versions of the site side by side: a folder each, and the list from which the theme makes its menu.

The layout is that of mike, the tool for versions of MkDocs sites, which the theme knows as the provider of versions.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from breakwater_runtime._version import VERSION

from .build import build

if TYPE_CHECKING:
    from pathlib import Path

_FIRST_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="refresh" content="0; url={version}/">
<link rel="icon" href="{version}/assets/images/favicon.png">
<title>cdk-breakwater</title>
</head>
<body><a href="{version}/">cdk-breakwater {version}</a></body>
</html>
"""


def publish(root: Path) -> Path:
    """Build the site of this version into its folder of `root`, beside those of other versions; return the folder."""
    site = root / VERSION
    build(site)
    write_list(root)
    return site


def write_list(root: Path) -> None:
    """List the versions that stand in `root`, the newest first; the first page leads to it."""
    versions = [path.name for path in root.iterdir() if re.fullmatch(r"[0-9]+(\.[0-9]+)+", path.name)]
    versions.sort(key=lambda version: [int(number) for number in version.split(".")], reverse=True)
    listed = [
        {"version": version, "title": version, "aliases": ["latest"] if version == versions[0] else []}
        for version in versions
    ]
    (root / "versions.json").write_text(json.dumps(listed), encoding="utf-8")
    (root / "index.html").write_text(_FIRST_PAGE.format(version=versions[0]), encoding="utf-8")
