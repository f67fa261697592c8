"""The two kinds of connections: in plain text, and in TLS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from redis.connection import SSLConnection

from breakwater_runtime._redis.connection import Bounded, Reached
from breakwater_runtime.tls import show_certificate, ssl_context

if TYPE_CHECKING:
    import socket
    import ssl

    from breakwater_runtime._redis.server import Server


class Plain(Bounded, Reached):
    """In plain text."""


class Tls(Bounded, SSLConnection, Reached):
    """In TLS, verified by `tls_ca` alone."""

    def __init__(self, server: Server, **options: Any) -> None:
        super().__init__(server, **options)
        self._own = any(name.startswith("ssl_") for name in options)

    def _wrap_socket_with_ssl(self, sock: socket.socket) -> ssl.SSLSocket:
        tls_ca = str(self.server.settings.tls_ca)
        if not self._own:
            return ssl_context(tls_ca).wrap_socket(sock, server_hostname=self.host)
        # redis-py by itself trusts the system's authorities beside the one that is named
        files = self.certfile, self.keyfile
        flags = tuple(self.ssl_include_verify_flags or ())
        changes = (*files, self.certificate_password, flags, self.ssl_min_version, self.ssl_ciphers)
        return ssl_context(tls_ca, files, changes, self._change).wrap_socket(sock, server_hostname=self.host)

    def _change(self, context: ssl.SSLContext) -> None:
        for flag in self.ssl_include_verify_flags or ():
            context.verify_flags |= flag  # pyrefly: ignore
        if self.certfile or self.keyfile:
            show_certificate(context, self.certfile, self.keyfile, self.certificate_password)
        if self.ssl_min_version is not None:
            context.minimum_version = self.ssl_min_version
        if self.ssl_ciphers:
            context.set_ciphers(self.ssl_ciphers)
