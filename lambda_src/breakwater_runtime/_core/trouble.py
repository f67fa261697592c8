"""What an error of a driver means for the connection and for `run()`; each driver has one table of its codes."""

from __future__ import annotations

from enum import Enum

# what doesn't pass: the server's certificate, which is ours to verify; the client's, which the server verifies (TLS 1.2
# calls a missing one a failed handshake, and a forged one has a signature that can't be decrypted); versions and
# ciphers. RFC 8446, "Error Alerts", in OpenSSL's words
_REFUSED_IN_TLS = (
    "certificate verify failed",
    "alert access denied",
    "alert bad certificate",
    "alert certificate",
    "alert decrypt error",
    "alert handshake failure",
    "alert insufficient security",
    "alert protocol version",
    "alert unknown ca",
    "alert unsupported certificate",
    "unsupported protocol",
)


def is_refused_in_tls(error: BaseException) -> bool:
    """Tell whether one side of a TLS connection has refused the other for what it is."""
    text = str(error).lower()
    return any(words in text for words in _REFUSED_IN_TLS)


class Trouble(Enum):
    """What an error means."""

    FULL = "full"
    """The server, or the account, has no connection left."""
    LOGIN = "login"
    """The login was refused: the secret may have rotated."""
    PASSING = "passing"
    """The server can't be reached, or is starting, or is going down: it passes."""
    LOST = "lost"
    """The session is gone, and with it an open transaction."""
    CONFLICT = "conflict"
    """The server has rolled the transaction back (deadlock, serialization); the session is sound."""
    STALE = "stale"
    """This session will never do again what is asked: read-only after a failover, a plan that changed."""
    LASTING = "lasting"
    """Whatever else: repeating won't help."""
