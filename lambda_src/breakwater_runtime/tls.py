"""Verified TLS: the chain and the host's name, with a context that is built once."""

# ruff: noqa: PTH113, PTH116, PTH118, PTH120 -- pathlib would add 4 ms to a cold start

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from breakwater_runtime.errors import ConfigurationError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Hashable, Sequence

_contexts: dict[tuple[str, Hashable], tuple[list[tuple[int, ...]], ssl.SSLContext]] = {}


def ca_file(tls_ca: str) -> str | None:
    """Find the CA file; None stands for the system's CAs.

    Parameters
    ----------
    tls_ca
        "bundled" (`ca.pem` beside this file, put there by the layer), "system", or a path.
    """
    if tls_ca == "system":
        return None
    path = os.path.join(os.path.dirname(__file__), "ca.pem") if tls_ca == "bundled" else tls_ca
    if not os.path.isfile(path):
        remedy = "The runtime layer carries it." if tls_ca == "bundled" else 'Or use "system" or "bundled".'
        raise ConfigurationError(f"tls_ca is {tls_ca!r}, but there is no file {path}. {remedy}")
    return path


def ssl_context(
    tls_ca: str,
    files: Sequence[str | None] = (),
    changes: Hashable = None,
    change: Callable[[ssl.SSLContext], None] | None = None,
) -> ssl.SSLContext:
    """Return the one context of a CA, and of what is changed about it; with a bundle, a context takes 20 ms to make.

    A file that was replaced is read anew.

    Parameters
    ----------
    tls_ca
        As for `ca_file`.
    files
        What else is read.
    changes
        What `change` will do: contexts of one CA differ by it.
    change
        Called with a new context.
    """
    path = ca_file(tls_ca)
    version = [_version(one) for one in (path, *files)]
    known = _contexts.get((tls_ca, changes))
    if known is not None and known[0] == version:
        return known[1]
    context = _new_context(path)
    if change is not None:
        change(context)
    _contexts[tls_ca, changes] = version, context
    return context


def _version(path: str | None) -> tuple[int, ...]:
    try:
        found = os.stat(path or "")
    except OSError:
        # who reads it says so
        return ()
    return found.st_mtime_ns, found.st_size, found.st_ino


def show_certificate(context: ssl.SSLContext, certificate: str | None, key: str | None, password: str | None) -> None:
    """Let a context show a client's certificate to a server that asks for one.

    Raises
    ------
    ConfigurationError
        A file is missing or can't be read, or certificate and key are no pair.
    """
    if certificate is None:
        raise ConfigurationError(f"The key {key!r} is given without its certificate.")
    try:
        # without any password OpenSSL would ask whoever sits at the terminal
        context.load_cert_chain(certificate, key, password or "")
    except OSError as error:
        raise ConfigurationError(
            f"The client's certificate {certificate!r} with the key {key!r} can't be used: {error}"
        ) from error


def _new_context(path: str | None) -> ssl.SSLContext:
    import ssl

    # As by create_default_context, but for two things. It writes the keys of each connection to a file where the
    # variable SSLKEYLOGFILE names one. And Python 3.13's asks for RFC 5280 to the letter, while roots of databases are
    # older than that (the RDS roots: no key usage extension). Chain, dates and host name are verified all the same.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if path is None:
        context.load_default_certs()
    else:
        context.load_verify_locations(path)
    return context


# Where the system's CAs lie: Amazon Linux (Lambda), Debian, Alpine
_SYSTEM_FILES = (
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/ssl/cert.pem",
)


def ca_path(tls_ca: str) -> str:
    """Find the CA file, the system's too.

    psycopg's wheel brings an OpenSSL of its own that looks for the system's CAs in a folder that doesn't exist, and
    without SSL_CERT_FILE, which Lambda doesn't set, finds none.
    """
    path = ca_file(tls_ca)
    if path is not None:
        return path
    for candidate in (os.environ.get("SSL_CERT_FILE"), *_SYSTEM_FILES):
        if candidate and os.path.isfile(candidate):
            return candidate
    raise ConfigurationError(
        f"tls_ca is 'system', but the system's CAs are in none of {', '.join(_SYSTEM_FILES)}. Give the path of a file."
    )
