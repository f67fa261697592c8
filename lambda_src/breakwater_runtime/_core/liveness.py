"""Whether a connection is alive, told by its socket: no round trip, about a microsecond."""

from __future__ import annotations

import select

# After a pause as long as this a connection is asked once whether it lives. It lies below the idle time after which
# another environment may end the session (server_pressure.ZOMBIE_SECONDS), and far below the 350 s after which NAT
# gateways, Network Load Balancers and Lambda's own network forget a flow without telling either end.
CHECK_AFTER_SECONDS = 2.5
CHECK_TIMEOUT_SECONDS = 1.0
# Unacknowledged data and lost keepalives end a connection after about this long, instead of Linux's 15 minutes.
TCP_USER_TIMEOUT_SECONDS = 10


def readable(file_descriptor: int) -> bool:
    """Tell whether something arrived: on an idle connection a farewell, a reset, or the end of the stream."""
    poll = select.poll()
    poll.register(file_descriptor, select.POLLIN)
    return bool(poll.poll(0))
