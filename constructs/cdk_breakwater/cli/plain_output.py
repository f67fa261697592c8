"""What a terminal or a file of another code page cannot hold is written so that it can: nothing ends in a traceback."""

from __future__ import annotations

import codecs
import sys
from io import TextIOWrapper

_PLAIN = str.maketrans(
    {
        **dict(zip("▁▂▃▄▅▆▇█░", "..--==##.", strict=True)),
        "±": "+-",
        "×": "x",
        "−": "-",
        "–": "-",
        "—": "-",
        "…": "...",
        "→": "->",
        "≥": ">=",
        "≤": "<=",
        "✓": "v",
    }
)
_HANDLER = "breakwater-plain"


def _plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end].translate(_PLAIN)
    return text.encode("ascii", "replace").decode("ascii"), error.end


def write_plainly_where_needed() -> None:
    """Let standard output and errors take every character, as something that the code page has."""
    codecs.register_error(_HANDLER, _plain)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors=_HANDLER)
