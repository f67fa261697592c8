"""PostgreSQL that counts what clients send."""

from __future__ import annotations

import servers


class PostgreSqlServer(servers.PostgreSqlServer):
    """It logs each message with a statement: a simple query, however many statements it holds, or one execution."""

    def _command(self) -> list[str]:
        return [*super()._command(), "-c", "log_statement=all", "-c", "log_line_prefix=%u "]

    def statements(self) -> int:
        """Count the application's messages so far."""
        log = (self.folder / "log").read_bytes()
        return log.count(b"app LOG:  statement: ") + log.count(b"app LOG:  execute ")
