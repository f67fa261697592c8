"""How a function logs in: a password, a secret of Secrets Manager, or an IAM token."""

from __future__ import annotations

import os
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING

from breakwater_runtime._secret import Secret, fetch, manager, wrong_secret
from breakwater_runtime.deadline import Deadline
from breakwater_runtime.environment import DEFAULT_PORTS, SQL_ENGINES
from breakwater_runtime.errors import ConfigurationError
from breakwater_runtime.retry import jitter

if TYPE_CHECKING:
    from breakwater_runtime.environment import Settings

# A rotation changes the password first and the secret after it, within seconds (AWS Secrets Manager User Guide,
# "Lambda rotation functions": setSecret, testSecret, finishSecret).
_ROTATION_SECONDS = 15
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 2.0
_LONGEST_TOKEN_PAUSE = 1.0
# for fetching the secret and logging in; with less, the refusal is the better answer
_ATTEMPT_SECONDS = 0.5
# how often a secret is asked where the server is by now, and how long at most
_ASK_WHERE_SECONDS = 1.0
_LONGEST_ASK_SECONDS = 1.0
_PASSWORD_ALONE = ("redis", "valkey")


class Login:
    """Where to connect, and as whom."""

    __slots__ = ("database", "host", "password", "port", "user")

    def __init__(self, host: str, port: int, user: str | None, password: str, database: str | None) -> None:
        self.host = host
        self.port = port
        self.user = user
        self.password = password
        self.database = database


class Credentials:
    """The credentials of one downstream; secrets are fetched when first needed and kept until they are refused."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._secret: Secret | None = None
        self._doubtful = False
        self._fetched_at = 0.0
        self._refused: Secret | None = None
        self._refused_in_vain: Secret | None = None
        self._refused_since = self._refused_at = 0.0
        self._pause = 0.0
        self._token_refused = False
        if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
            self._prepare()

    def _prepare(self) -> None:
        """Make botocore's client now: 0.2 s of a processor, of which Lambda's init phase has a whole one.

        Nothing is sent. What is wrong is told where the client is needed.
        """
        with suppress(Exception):
            if self._settings.secret_arn:
                manager()
            elif self._settings.auth == "iam":
                from breakwater_runtime._iam_token import signer

                signer(str(self._settings.host))

    def login(self, deadline: Deadline | None = None) -> Login:
        """Return what a connect needs, fetched where it isn't known yet.

        Raises
        ------
        ConfigurationError
            The secret isn't what RDS would have made.
        ConnectionUnavailable
            Secrets Manager did not answer until the deadline.
        """
        deadline = deadline or Deadline(None, self._settings.function_timeout)
        secret = self._fetched(deadline)
        try:
            return self._login(secret, deadline)
        except ConfigurationError:
            # whoever puts the secret right needs no new environments
            self._secret = None
            raise

    def _login(self, secret: Secret, deadline: Deadline) -> Login:
        settings = self._settings
        host = settings.host or secret.host
        if not host:
            raise settings.error("host", None, "Neither the setting nor the secret names a host.")
        port = settings.port or secret.port or DEFAULT_PORTS[settings.engine]
        user = settings.user or secret.user
        database = settings.database or secret.database
        if settings.auth == "iam":
            from breakwater_runtime._iam_token import iam_token

            return Login(host, port, user, iam_token(host, port, str(user), deadline), database)
        if secret.password and not user and settings.engine not in _PASSWORD_ALONE:
            # a driver would log in as whoever the operating system says that the process is
            raise wrong_secret(settings.secret_arn, 'has no "username", and the setting "user" names nobody.')
        if not user and settings.engine in SQL_ENGINES:
            raise settings.error("user", user, "A driver would log in as the operating system's user. Name one.")
        password = settings.password if settings.password is not None else secret.password
        return Login(host, port, user, password or "", database)

    def unreachable(self) -> None:
        """Note that an attempt to connect failed: a secret that says where is asked again, each second at most."""
        if monotonic() - self._fetched_at >= _ASK_WHERE_SECONDS:
            self.in_vain()

    def in_vain(self) -> None:
        """Note that no connection came about: the secret may say by now that the database is elsewhere."""
        self._doubtful = not (self._settings.host and self._settings.port and self._settings.database)

    def accepted(self) -> None:
        """Note that the server let us in."""
        self._doubtful = False
        self._refused = self._refused_in_vain = None
        self._token_refused = False

    def pause_after_refusal(self, deadline: Deadline) -> float | None:
        """After a refused login: say when to log in again, with a secret that is fetched anew by then.

        Returns
        -------
        float or None
            Seconds to wait. None: the login is wrong, not in rotation.
        """
        if self._settings.auth == "iam":
            return self._pause_after_refused_token(deadline)
        secret, self._secret = self._secret, None
        if secret is None or self._settings.password is not None or secret == self._refused_in_vain:
            return None
        now, before = monotonic(), self._refused_at
        self._refused_at = now
        if self._refused is None or now - before > _ROTATION_SECONDS:
            # an invocation before may have ended in the midst of it
            self._refused, self._refused_since, self._pause = secret, now, 0.0
            return 0.0
        self._pause = min(_LONGEST_PAUSE, max(_FIRST_PAUSE, self._pause * 2))
        if now - self._refused_since + self._pause > _ROTATION_SECONDS:
            self._refused, self._refused_in_vain = None, secret
            return None
        # for what is left of the rotation the next invocation waits
        left = deadline.remaining() - _ATTEMPT_SECONDS
        return min(self._pause, left) if left >= _FIRST_PAUSE else None

    def _pause_after_refused_token(self, deadline: Deadline) -> float | None:
        """One more token, made anew, until one is accepted: the first may have come in a moment of too many logins."""
        pause = jitter(_FIRST_PAUSE, _LONGEST_TOKEN_PAUSE)
        if self._token_refused or pause + _ATTEMPT_SECONDS > deadline.remaining():
            return None
        self._token_refused = True
        return pause

    def refusal(self, error: Exception) -> Exception:
        """Return what to raise for a login that stays refused: the driver's error, unless the secret says why."""
        secret, host = self._refused_in_vain or self._refused, self._settings.host
        if secret is None or not secret.host or not host or secret.host == host:
            return error
        return wrong_secret(
            self._settings.secret_arn, f"was refused by the host {host!r}; it is a secret of the host {secret.host!r}."
        )

    def _fetched(self, deadline: Deadline) -> Secret:
        if not self._settings.secret_arn:
            return Secret()
        secret = self._secret
        if secret is None:
            secret = fetch(self._settings.secret_arn, deadline)
        elif self._doubtful:
            secret = self._asked_again(self._settings.secret_arn, secret, deadline)
        else:
            return secret
        self._secret, self._doubtful, self._fetched_at = secret, False, monotonic()
        return secret

    def _asked_again(self, arn: str, known: Secret, deadline: Deadline) -> Secret:
        """Return what Secrets Manager says by now; while it says nothing, what was known holds."""
        try:
            return fetch(arn, deadline.within(min(_LONGEST_ASK_SECONDS, deadline.remaining() / 2)))
        except ConfigurationError:
            # there is an answer, and it names nobody
            raise
        except Exception:  # noqa: BLE001, RUF100 -- whatever it is, the database may be back
            return known
