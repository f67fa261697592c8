"""What an error of a driver means for the connection and for `run()`; each driver has one table of its codes."""

from __future__ import annotations

from enum import Enum

# of the server's certificate, which is ours to verify, and of the client's, which the server verifies: RFC 8446,
# "Error Alerts", in OpenSSL's words
_CERTIFICATE_REFUSED = (
    "certificate verify failed",
    "alert bad certificate",
    "alert certificate",
    "alert unknown ca",
    "alert unsupported certificate",
)


def is_certificate_refused(error: BaseException) -> bool:
    """Tell whether one side of a TLS connection has refused the other's certificate."""
    text = str(error).lower()
    return any(words in text for words in _CERTIFICATE_REFUSED)


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
