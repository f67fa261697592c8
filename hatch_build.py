"""The README in the distributions' metadata: an index of packages shows it, where it links to no page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_PICTURE = re.compile(r"!\[[^\]]*\]\((?!https?://)[^)]*\)\n+")
_LINK = re.compile(r"\[([^\]]+)\]\((?!https?://|#)([^)#]+)[^)]*\)")
_WHERE = """
The pages that are named `docs/…` here are part of the source distribution:
`pip download --no-deps --no-binary :all: cdk-breakwater`.
"""


class Readme(MetadataHookInterface):
    """Names the pages instead of linking them, and says where they are."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set the long description."""
        title, rest = Path(self.root, "README.md").read_text(encoding="utf-8").split("\n", 1)
        named = _LINK.sub(_named, _PICTURE.sub("", rest))
        metadata["readme"] = {"content-type": "text/markdown", "text": f"{title}\n{_WHERE}{named}"}


def _named(link: re.Match[str]) -> str:
    text, page = link.groups()
    return f"`{page}`" if text == page else f"{text} (`{page}`)"
