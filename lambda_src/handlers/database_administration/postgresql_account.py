"""Users of PostgreSQL. What is done on one connection is one transaction: all of it, or nothing."""

# ruff: noqa: D102 -- the methods are described in account.py

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import psycopg
from psycopg import errors, sql

from .account import Account
from .grant import Grant, settle

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from typing_extensions import LiteralString

_IAM_ROLE = "rds_iam"
_NEVER_GRANTED = (
    errors.SyntaxError,
    errors.UndefinedObject,
    errors.UndefinedTable,
    errors.UndefinedFunction,
    errors.InvalidSchemaName,
    errors.InvalidCatalogName,
    errors.InvalidGrantOperation,
    errors.WrongObjectType,
)


class PostgreSqlAccount(Account):
    """A role that may log in."""

    def __init__(self, connection: Any, name: str) -> None:
        super().__init__(connection, name)
        self._role = sql.Identifier(name)

    def is_administrator(self) -> bool:
        return self._rows("SELECT current_user") == [(self._name,)]

    def exists(self) -> bool:
        return bool(self._rows("SELECT 1 FROM pg_roles WHERE rolname = %s", self._name))

    def uses_iam(self) -> bool:
        member = (
            "SELECT 1 FROM pg_auth_members "
            "JOIN pg_roles iam ON iam.oid = roleid JOIN pg_roles role ON role.oid = member "
            "WHERE iam.rolname = %s AND role.rolname = %s"
        )
        return bool(self._rows(member, _IAM_ROLE, self._name))

    def set(self, password: str | None, connection_limit: int, wanted: list[Grant], before: Sequence[Grant]) -> None:
        login = sql.SQL("{} ROLE {} LOGIN CONNECTION LIMIT {} PASSWORD {}")
        verb = sql.SQL("ALTER" if self.exists() else "CREATE")
        self._run(login, verb, self._role, sql.Literal(connection_limit), sql.Literal(self._verifier(password)))
        if password is None:
            self._run(sql.SQL("GRANT {} TO {}"), sql.Identifier(_IAM_ROLE), self._role)
        elif self.uses_iam():
            self._run(sql.SQL("REVOKE {} FROM {}"), sql.Identifier(_IAM_ROLE), self._role)
        settle(wanted, before, self._grant, self._revoke)

    def databases(self) -> list[str]:
        dependent = (
            "SELECT DISTINCT datname FROM pg_shdepend JOIN pg_database ON pg_database.oid = dbid "
            "JOIN pg_roles ON pg_roles.oid = refobjid "
            "WHERE refclassid = 'pg_authid'::regclass AND rolname = %s AND datallowconn"
        )
        return [name for (name,) in self._rows(dependent, self._name)]

    def release(self) -> None:
        # Only who has the role's rights may do this; a role's creator may grant them to itself.
        self._run(sql.SQL("GRANT {} TO CURRENT_USER"), self._role)
        self._run(sql.SQL("REASSIGN OWNED BY {} TO CURRENT_USER"), self._role)
        self._run(sql.SQL("DROP OWNED BY {}"), self._role)

    def drop(self) -> None:
        if self.exists():
            self.release()
            self._run(sql.SQL("DROP ROLE {}"), self._role)

    def lock(self) -> None:
        if self.exists():
            self._run(sql.SQL("ALTER ROLE {} NOLOGIN"), self._role)

    def _verifier(self, password: str | None) -> str | None:
        if password is None:
            return None
        # The server's log shows statements as they came: this is all that it ever sees of the password.
        return self._connection.pgconn.encrypt_password(
            password.encode(), self._name.encode(), b"scram-sha-256"
        ).decode()

    def _grant(self, grant: Grant) -> None:
        for statement in self._statements(grant, sql.SQL("GRANT"), sql.SQL("TO")):
            self._run(statement)

    def _revoke(self, grant: Grant) -> None:
        try:
            with self._connection.transaction():
                for statement in self._statements(grant, sql.SQL("REVOKE"), sql.SQL("FROM")):
                    self._run(statement)
        except psycopg.Error as error:
            # What a rollback revokes may never have been granted.
            if not isinstance(error, _NEVER_GRANTED):
                raise

    def _statements(self, grant: Grant, verb: sql.SQL, preposition: sql.SQL) -> Iterator[sql.Composed]:
        change = sql.SQL("{} {} ON {} {} {} {}")
        privilege, name = _words(grant.privilege), sql.Identifier(*grant.name)
        if grant.kind == "ROLE":
            yield sql.SQL("{} {} {} {}").format(verb, sql.Identifier(grant.privilege), preposition, self._role)
        elif grant.name[-1] != "*":
            yield change.format(verb, privilege, _words(grant.kind), name, preposition, self._role)
        else:
            # Every table of the schema, now and later, as in MySQL; sequences with them, for serial columns.
            schema = sql.Identifier(grant.name[0])
            yield change.format(verb, sql.SQL("USAGE"), sql.SQL("SCHEMA"), schema, preposition, self._role)
            granted = [(privilege, sql.SQL("TABLES"))]
            if grant.privilege in ("ALL", "INSERT"):
                granted.append((sql.SQL("USAGE"), sql.SQL("SEQUENCES")))
            for right, kind in granted:
                every = sql.SQL("ALL {} IN SCHEMA").format(kind)
                yield change.format(verb, right, every, schema, preposition, self._role)
                yield sql.SQL("ALTER DEFAULT PRIVILEGES IN SCHEMA {} {} {} ON {} {} {}").format(
                    schema, verb, right, kind, preposition, self._role
                )

    def _run(self, statement: sql.SQL | sql.Composed, *parts: sql.Composable) -> None:
        self._connection.execute(statement.format(*parts) if isinstance(statement, sql.SQL) else statement)

    def _rows(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        return self._connection.execute(query, parameters).fetchall()


def _words(text: str) -> sql.SQL:
    # `grants` has made sure that it is words and nothing else.
    return sql.SQL(cast("LiteralString", text))
