"""The picture of a burst with the limits and without, in the README: `python -m website.burst > docs/burst.svg`.

Both halves are computed by the models of `breakwater simulate`, from README's first app: 10,000 messages at once.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cdk_breakwater.limits.account_quota import ACCOUNT_CONCURRENCY
from cdk_breakwater.simulation.application import Application, Function, Server
from cdk_breakwater.simulation.duration import Duration
from cdk_breakwater.simulation.entries import Queue
from cdk_breakwater.simulation.load import spike
from cdk_breakwater.simulation.run import simulate
from cdk_breakwater.simulation.verdict import seconds_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cdk_breakwater.simulation.history import History

MESSAGES, MAX_CONNECTIONS, FOR_CLIENTS, SHARE = 10_000, 80, 68, 16
_TIMEOUT, _RECEIVES = 30.0, 5
_WIDTH, _LEFT, _RIGHT, _TOP, _PANEL, _GAP, _BOTTOM = 720, 52, 14, 66, 120, 72, 50
_BARS = 320
_STEP_OF_THE_AXIS = 120.0  # seconds
_GOOD, _BAD, _INK, _PALE = "#0969da", "#cf222e", "#24292f", "#57606a"


@dataclass(frozen=True)
class Burst:
    """What became of it.

    Attributes
    ----------
    refused, dead
        Connections that the database refused, and messages in the dead-letter queue.
    done
        Seconds until the last message was done or given up.
    """

    history: History
    refused: float
    dead: float
    done: float


def bursts() -> tuple[Burst, Burst]:
    """Compute the burst without the limits, and with them."""
    queue = Queue("Jobs", "Orders", spike(MESSAGES), 10, None, 6 * _TIMEOUT, _RECEIVES)
    function = Function("Orders", Duration(0.2), _TIMEOUT, connections={"Db": 1})
    servers = {"Db": Server("Db", MAX_CONNECTIONS, FOR_CLIENTS)}
    without = Application((queue,), {"Orders": function}, servers, ACCOUNT_CONCURRENCY, idle=600.0, refused=0.1)
    limited = replace(
        without,
        entries=(replace(queue, maximum_concurrency=SHARE),),
        functions={"Orders": replace(function, reserved=SHARE)},
    )
    return _run(without), _run(limited)


def _run(application: Application) -> Burst:
    history = simulate(application)
    if history.drained is None:
        raise ValueError("the burst is not done")
    return Burst(history, history.servers["Db"].refused.total, history.entries["Jobs"].lost.total, history.drained)


def picture() -> str:
    """Draw the two, one below the other, on one scale."""
    without, limited = bursts()
    seconds = -(-max(without.done, limited.done) // 60) * 60
    most = max(FOR_CLIENTS, without.history.functions["Orders"].concurrency.peak)
    height = _TOP + 2 * _PANEL + _GAP + _BOTTOM
    title = f"{MESSAGES:,} messages at once, for a database with max_connections = {MAX_CONNECTIONS}"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" '
        'font-family="system-ui, sans-serif" font-size="13">',
        f"<title>{title}. Without limits {_told(without)}. With cdk-breakwater {_told(limited)}.</title>",
        f'<rect width="{_WIDTH}" height="{height}" rx="8" fill="#f6f8fa"/>',
        _text(_WIDTH / 2, 24, title, _INK, "middle", bold=True),
    ]
    for burst, top, name in (
        (without, _TOP, "Without limits"),
        (limited, _TOP + _PANEL + _GAP, f"With cdk-breakwater, share {SHARE}"),
    ):
        parts += [
            _text(_LEFT, top - 12, name, _INK, bold=True),
            _text(_WIDTH - _RIGHT, top - 12, _told(burst), _BAD if burst.refused else _INK, "end"),
            *_panel(burst, top, seconds, most),
        ]
    parts.append(
        _text(
            _WIDTH / 2,
            height - 10,
            "minutes since the burst; height: execution environments at work (simulated)",
            _PALE,
            "middle",
        )
    )
    return "\n".join([*parts, "</svg>", ""])


def _told(burst: Burst) -> str:
    return (
        f"{burst.refused:,.0f} connections refused, {burst.dead:,.0f} dead-lettered, "
        f"done after {seconds_text(burst.done)}"
    )


def _panel(burst: Burst, top: float, seconds: float, most: float) -> Iterator[str]:
    width, bottom = _WIDTH - _LEFT - _RIGHT, top + _PANEL
    limit = bottom - _PANEL * FOR_CLIENTS / most
    for number in range(_BARS):
        start, end = seconds * number / _BARS, seconds * (number + 1) / _BARS
        high = _highest(burst.history, start, end)
        left = _LEFT + width * number / _BARS
        for low, up, colour in ((0.0, min(high, FOR_CLIENTS), _GOOD), (FOR_CLIENTS, high, _BAD)):
            if up > low:
                y, tall = bottom - _PANEL * up / most, _PANEL * (up - low) / most
                yield (
                    f'<rect x="{left:.1f}" y="{y:.1f}" width="{width / _BARS + 0.3:.2f}" height="{tall:.1f}" '
                    f'fill="{colour}"/>'
                )
    yield _line(bottom, f'stroke="{_PALE}"')
    yield _line(limit, f'stroke="{_BAD}" stroke-dasharray="5 3"')
    yield _text(_LEFT - 6, limit + 4, f"{FOR_CLIENTS}", _BAD, "end")
    yield _text(_LEFT - 6, bottom + 4, "0", _PALE, "end")
    yield _text(_WIDTH - _RIGHT, limit + 15, "connections that clients can have", _BAD, "end")
    at = 0.0
    while at <= seconds:
        yield _text(_LEFT + width * at / seconds, bottom + 17, f"{at / 60:g}", _PALE, "middle")
        at += _STEP_OF_THE_AXIS


def _highest(history: History, start: float, end: float) -> float:
    values, step = history.functions["Orders"].concurrency.values, history.step
    return max(values[int(start / step) : int(end / step) + 1], default=0.0)


def _line(y: float, stroke: str) -> str:
    return f'<line x1="{_LEFT}" y1="{y:.1f}" x2="{_WIDTH - _RIGHT}" y2="{y:.1f}" {stroke}/>'


def _text(x: float, y: float, text: str, colour: str, anchor: str = "start", *, bold: bool = False) -> str:
    weight = ' font-weight="600"' if bold else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" text-anchor="{anchor}"{weight}>{text}</text>'


if __name__ == "__main__":
    sys.stdout.write(picture())
