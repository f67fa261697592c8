"""redis-py's client, whose `monitor()` keeps no connection when the server refuses it."""

from __future__ import annotations

import redis
from redis.client import Monitor


class Client(redis.Redis):
    """redis-py's client."""

    def monitor(self) -> Monitor:
        """Show each command that the server processes, as redis-py does."""
        return _Monitor(self.connection_pool)


class _Monitor(Monitor):
    def __enter__(self) -> _Monitor:
        try:
            super().__enter__()
        except BaseException:
            # nobody else would give the connection back
            self.__exit__()
            raise
        return self
