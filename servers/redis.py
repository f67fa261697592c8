"""Redis."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import redis

from servers.server import Server, binary

if TYPE_CHECKING:
    from servers.certificates import Certificate


class RedisServer(Server):
    """A Redis server; `max_connections` is its `maxclients`."""

    engine = "redis"

    def __init__(
        self, max_connections: int = 30, certificates: Certificate | None = None, *, require_tls: bool = False
    ) -> None:
        super().__init__(max_connections, certificates, require_tls=require_tls)
        self._admin_password = secrets.token_urlsafe(12)

    def _initialise(self) -> None:
        pass

    def _command(self) -> list[str]:
        port = f"port {0 if self.require_tls else self.port}"
        if self.certificate:
            # with TLS the port speaks TLS alone
            port = (
                f"port 0\ntls-port {self.port}\ntls-auth-clients optional\n"
                f"tls-cert-file {self.certificate.certificate}\ntls-key-file {self.certificate.key}\n"
                f"tls-ca-cert-file {self.certificate.ca}"
            )
        (self.folder / "redis.conf").write_text(
            f"{port}\nbind 127.0.0.1\nunixsocket {self.folder / 'socket'}\nmaxclients {self.max_connections}\n"
            f'save ""\nappendonly no\ndir {self.folder}\n'
            f"user default on >{self._admin_password} ~* &* +@all\n"
            f"user {self.user} on >{self.password} ~* &* +@all -@admin -@dangerous\n"
        )
        return [binary("redis-server", "redis-server"), str(self.folder / "redis.conf")]

    def admin(self) -> redis.Redis:
        client = redis.Redis(unix_socket_path=str(self.folder / "socket"), password=self._admin_password)
        client.ping()
        return client

    def sessions(self, user: str = "app") -> int:
        with self.admin() as admin:
            return sum(client["user"] == user for client in admin.client_list())

    def _create_application_user(self) -> None:
        pass
