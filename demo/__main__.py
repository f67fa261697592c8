"""`python -m demo`: a burst on real databases, with breakwater and without. Ends everything that it starts."""

from __future__ import annotations

import argparse
import signal
import sys
from typing import NoReturn

from rich.console import Console

from demo.demonstration import MAX_CONNECTIONS, SERVERS, demonstrate
from demo.load import REPEATED, REQUESTS_AT_ONCE
from demo.outcome import NAMES, table
from demo.processes import CommandError
from demo.screen import Screen

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main() -> int:
    """Run the demo; 0 if the library kept what it promises, 1 if not, 2 for wrong arguments."""
    options = _options()
    console = Console(highlight=False)
    for number in SIGNALS:
        signal.signal(number, _end)
    console.print(_introduction(options))
    try:
        outcomes = list(
            demonstrate(
                options.engine or list(SERVERS),
                orders=options.orders,
                requests=options.requests,
                unprotected=not options.protected_only,
                screen=Screen(console),
            )
        )
    except SystemExit:
        console.print("\nInterrupted; everything that the demo started has ended.")
        raise
    except CommandError as error:
        console.print(f"✗ {error}", markup=False, emoji=False, soft_wrap=True)
        return 1
    console.print()
    console.print(table(outcomes))
    broken = [promise for outcome in outcomes for promise in outcome.broken_promises]
    for promise in broken:
        console.print(f"[red]✗ {promise}[/]")
    if not broken:
        console.print("[green]✓ Every order is there exactly once, and no function went beyond the budget.[/]")
    return 1 if broken else 0


def _introduction(options: argparse.Namespace) -> str:
    databases = ", then ".join(NAMES[engine] for engine in options.engine or SERVERS)
    compared = "." if options.protected_only else "; first with breakwater, then without."
    return (
        "[bold]A burst on a small database[/]\n"
        "A web shop's order intake is deployed with the CDK's own CLI onto an AWS that is emulated on this machine: "
        "a queue whose consumer writes orders, and an HTTP API that reads them. Then, all at once,\n"
        f"  • {options.orders:,} orders go through the queue (every {REPEATED}th is sent twice, as queues do), and\n"
        f"  • {options.requests:,} requests go to the API, {REQUESTS_AT_ONCE} at a time,\n"
        f"on a real {databases}, with max_connections = {MAX_CONNECTIONS}{compared}\n"
        "Nothing leaves this machine, no AWS account is used, and Ctrl-C ends it all.\n"
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--orders", type=_positive, default=1_000, help="orders through the queue (default 1000)")
    parser.add_argument("--requests", type=_positive, default=500, help="requests to the API (default 500)")
    parser.add_argument("--engine", choices=SERVERS, action="append", help="only this one (default: all, in turn)")
    parser.add_argument("--protected-only", action="store_true", help="leave the burst without breakwater out")
    return parser.parse_args()


def _positive(text: str) -> int:
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"must be 1 or more (given {text})")
    return number


def _end(number: int, _frame: object) -> NoReturn:
    # Once is enough: a second signal must not interrupt the ending of what was started.
    for other in SIGNALS:
        signal.signal(other, signal.SIG_IGN)
    raise SystemExit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
