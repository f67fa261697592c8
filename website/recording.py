"""The demo as an animated picture, for the README: `python -m website.recording` runs it and writes docs/demo.svg.

It takes two minutes. termtosvg, fetched by uv, draws the frames. What takes long is shortened, and what merely turns
(the spinner of a step) is left out, so that the file stays small and nobody waits.
"""

from __future__ import annotations

import codecs
import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path
from typing import TYPE_CHECKING

from .pages import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

PICTURE = ROOT / "docs" / "demo.svg"
DEMO = ("-m", "demo", "--engine", "postgresql")
TITLE = (
    "A recording of the demo: 1,000 orders and 500 requests for a PostgreSQL server with max_connections = 20, first "
    "with cdk-breakwater, then without. The table at the end compares the two."
)
_TERMTOSVG = "termtosvg-ng==1.4.1"
_COLUMNS, _ROWS = 86, 40
_SHORTEST_FRAME, _LONGEST_FRAME, _LAST_FRAME = 500, 1_500, 10_000  # milliseconds
_SPINNER = re.compile("[\N{BRAILLE PATTERN BLANK}-\N{BRAILLE PATTERN DOTS-12345678}]")
_OFFSET = re.compile(r"translateY\((-?\d+px)\)")
# The last frame has the verdict: it is what stands still for those who asked for less motion, and where nothing moves.
_STILL = """
#screen_view {{transform: translateY({offset});}}
@media (prefers-reduced-motion: reduce) {{#screen_view {{animation: none;}}}}
"""

Event = tuple[float, str]


def main() -> None:
    """Run the demo in a terminal of its own and draw what it shows."""
    with tempfile.TemporaryDirectory() as folder:
        cast, drawn = Path(folder, "demo.cast"), Path(folder, "demo.svg")
        cast.write_text(as_cast(without_turning(typed([sys.executable, *DEMO]))), encoding="utf-8")
        draw = [sys.executable, "-m", "uv", "tool", "run", "--quiet", "--from", _TERMTOSVG, "termtosvg", "render"]
        limits = [("-m", _SHORTEST_FRAME), ("-M", _LONGEST_FRAME), ("-D", _LAST_FRAME)]
        options = [str(word) for option in limits for word in option]
        subprocess.run([*draw, str(cast), str(drawn), *options], check=True, stdout=sys.stderr)  # noqa: S603
        PICTURE.write_text(finished(drawn.read_text(encoding="utf-8")), encoding="utf-8")


def typed(command: Sequence[str]) -> Iterator[Event]:
    """Run a command in a terminal, and yield what it writes with the seconds since its beginning.

    Raises
    ------
    subprocess.CalledProcessError
        When the command fails: a demo that broke its promises is no picture for the README.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", _ROWS, _COLUMNS, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": str(_COLUMNS), "LINES": str(_ROWS)}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdin=theirs, stdout=theirs, stderr=theirs)  # noqa: S603
    os.close(theirs)
    decoder = codecs.getincrementaldecoder("utf-8")()
    began = time.monotonic()
    while written := _read(ours):
        yield time.monotonic() - began, decoder.decode(written)
    os.close(ours)
    if process.wait():
        raise subprocess.CalledProcessError(process.returncode, command)


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65_536)
    except OSError:  # Linux reports the end of a terminal this way
        return b""


def without_turning(events: Iterable[Event]) -> Iterator[Event]:
    """Leave out each event that draws the same as the one before it, but for the spinner."""
    before = ""
    for moment, text in events:
        drawn = _SPINNER.sub("", text)
        if drawn != before:
            yield moment, text
        before = drawn


def as_cast(events: Iterable[Event]) -> str:
    """Write events as an asciicast, version 2: https://docs.asciinema.org/manual/asciicast/v2/."""
    lines: list[object] = [{"version": 2, "width": _COLUMNS, "height": _ROWS}]
    lines += [[moment, "o", text] for moment, text in events]
    return "\n".join(json.dumps(line) for line in lines) + "\n"


def finished(svg: str) -> str:
    """Add a title, and what is shown where nothing moves."""
    *_, last = _OFFSET.findall(svg)
    svg = svg.replace("</defs>", f"<style>{_STILL.format(offset=last)}</style></defs>", 1)
    return svg.replace("<defs>", f"<title>{TITLE}</title><defs>", 1)


if __name__ == "__main__":
    main()
