"""How a block tells the server that it has begun or ended, and who may end a session: by two of the server's own locks.

`breakwater.idle.<id>` is held between blocks, `breakwater.end.<id>` within one. The mark is positive: a fresh session,
a reset, RELEASE_ALL_LOCKS make a session that nobody ends. Whoever wants to end one that has been idle takes its `end`
lock first, looks again, and only then ends it, if it still holds `idle`. A session that begins a block takes `end`
itself: it waits for a hunter to be done, and if that ends it, what was sent behind is not run.

This needs no privilege. Several locks at once need MySQL 5.7.5 or MariaDB 10.0.2; where the server refuses them
(Galera), nobody hunts, and nobody is hunted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from breakwater_runtime._mysql.limits import IDLE_SECONDS

if TYPE_CHECKING:
    from breakwater_runtime._mysql.session import MySqlSession

_IDLE_LOCK = b"CONCAT('breakwater.idle.', CONNECTION_ID())"
_END_LOCK = b"CONCAT('breakwater.end.', CONNECTION_ID())"

BEGUN = b"@breakwater=GET_LOCK(%s, 10) + RELEASE_LOCK(%s)" % (_END_LOCK, _IDLE_LOCK)
CLAIM = b"SELECT GET_LOCK(%s, 0), RELEASE_LOCK(%s)" % (_END_LOCK, _IDLE_LOCK)
# the number of the block's last row concerns no other
_FORGET = b"LAST_INSERT_ID(0)"
ENDED = b"@breakwater=GET_LOCK(%s, 0) + RELEASE_LOCK(%s) + %s" % (_IDLE_LOCK, _END_LOCK, _FORGET)
END_OF_BLOCK = b"SET SESSION wait_timeout=%d, " % IDLE_SECONDS + ENDED
END_OF_BLOCK_WITHOUT_MARK = b"SET SESSION wait_timeout=%d, @breakwater=%s" % (IDLE_SECONDS, _FORGET)

_IDLE = (
    "SELECT id FROM information_schema.processlist WHERE user = SUBSTRING_INDEX(CURRENT_USER(), '@', 1) "
    "AND db <=> DATABASE() AND command = 'Sleep' AND time >= {idle_seconds:d} AND id <> CONNECTION_ID() "
    "AND IS_USED_LOCK(CONCAT('breakwater.idle.', id)) = id"
)
_CLAIM_THEM = f"{_IDLE} AND GET_LOCK(CONCAT('breakwater.end.', id), 0) = 1"
_STILL_IDLE = f"{_IDLE} AND id IN ({{ids}})"
# a false condition makes an id that no session has: error 1094
_KILL = (
    "KILL IF(IS_USED_LOCK('breakwater.end.{id:d}') = CONNECTION_ID() "
    "AND IS_USED_LOCK('breakwater.idle.{id:d}') = {id:d}, {id:d}, 0)"
)


async def usage(session: MySqlSession[Any], max_connections: int | None) -> tuple[int, int]:
    """Count everybody's connections; any user may."""
    threads = int((await session.ask(b"SHOW GLOBAL STATUS LIKE 'Threads_connected'"))[0][1])
    return threads, max_connections or int((await session.ask(b"SELECT @@GLOBAL.max_connections"))[0][0])


async def hunt(session: MySqlSession[Any], idle_seconds: int) -> int:
    """End the sessions of the own user that have been idle so long; return how many."""
    claimed = [row[0] for row in await session.ask(_CLAIM_THEM.format(idle_seconds=idle_seconds).encode())]
    if not claimed:
        return 0
    ids = ", ".join(f"{one:d}" for one in claimed)
    still = await session.ask(_STILL_IDLE.format(ids=ids, idle_seconds=idle_seconds).encode())
    ended = 0
    for (one,) in still:
        ended += await session.tell(_KILL.format(id=one).encode())
    locks = ", ".join(f"RELEASE_LOCK('breakwater.end.{one:d}')" for one in claimed)
    await session.tell(f"DO {locks}".encode())
    return ended
