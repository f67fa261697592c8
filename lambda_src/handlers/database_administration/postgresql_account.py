"""Users of PostgreSQL. What is done on one connection is one transaction: all of it, or nothing."""

# ruff: noqa: D102 -- the methods are described in account.py

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import psycopg
from psycopg import errors, sql

from .account import Account, Login
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


_LOCK_TIMEOUT = "10s"
# Of each kind, what one is called, and how pg_class marks it: tables, partitioned ones, views, materialized views and
# foreign tables; sequences. Source: PostgreSQL docs, "pg_class".
_KINDS = {"TABLES": ("TABLE", ["r", "p", "v", "m", "f"]), "SEQUENCES": ("SEQUENCE", ["S"])}


class PostgreSqlAccount(Account):
    """A role that may log in."""

    def __init__(self, connection: Any, name: str) -> None:
        super().__init__(connection, name)
        self._role = sql.Identifier(name)
        self._left_out: list[str] = []

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

    def set(
        self, login: Login | None, connection_limit: int, wanted: list[Grant], before: Sequence[Grant]
    ) -> list[str]:
        verb = sql.SQL("ALTER" if self.exists() else "CREATE")
        self._run(sql.SQL("{} ROLE {} LOGIN CONNECTION LIMIT {}"), verb, self._role, sql.Literal(connection_limit))
        if login is not None:
            verifier = sql.Literal(self._verifier(login.password))
            self._run(sql.SQL("ALTER ROLE {} PASSWORD {}"), self._role, verifier)
            if login.password is None:
                self._run(sql.SQL("GRANT {} TO {}"), sql.Identifier(_IAM_ROLE), self._role)
            else:
                self._revoke_iam()
        settle(wanted, before, self._grant, self._revoke)
        return self._left_out

    def databases(self) -> list[str]:
        dependent = (
            "SELECT DISTINCT datname FROM pg_shdepend JOIN pg_database ON pg_database.oid = dbid "
            "JOIN pg_roles ON pg_roles.oid = refobjid "
            "WHERE refclassid = 'pg_authid'::regclass AND rolname = %s AND datallowconn"
        )
        return [name for (name,) in self._rows(dependent, self._name)]

    def shut_out(self) -> None:
        if not self.exists():
            return
        self.lock()
        with self._rights():
            self._rows("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", self._name)

    def release(self) -> None:
        # Whoever holds a lock on what the user owns is somebody else, and would be waited for.
        self._run(sql.SQL("SET LOCAL lock_timeout = {}"), sql.Literal(_LOCK_TIMEOUT))
        with self._rights():
            self._run(sql.SQL("REASSIGN OWNED BY {} TO CURRENT_USER"), self._role)
            self._run(sql.SQL("DROP OWNED BY {}"), self._role)

    def drop(self) -> None:
        if self.exists():
            self.release()
            self._run(sql.SQL("DROP ROLE {}"), self._role)

    @contextmanager
    def _rights(self) -> Iterator[None]:
        """Have the user's rights for a while, as a role's creator may grant them to itself.

        Not those of `rds_iam`: who is a member of it, directly or not, cannot log in with a password any more, and the
        administrator would be. Source: Amazon RDS User Guide, "IAM database authentication", PostgreSQL.
        """
        self._revoke_iam()
        self._run(sql.SQL("GRANT {} TO CURRENT_USER"), self._role)
        yield
        self._run(sql.SQL("REVOKE {} FROM CURRENT_USER"), self._role)

    def _revoke_iam(self) -> None:
        if self.uses_iam():
            self._run(sql.SQL("REVOKE {} FROM {}"), sql.Identifier(_IAM_ROLE), self._role)

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
            granted = [(privilege, "TABLES")]
            if grant.privilege in ("ALL", "INSERT"):
                granted.append((sql.SQL("USAGE"), "SEQUENCES"))
            for right, kind in granted:
                for each in self._objects(grant.name[0], kind):
                    yield change.format(verb, right, _words(_KINDS[kind][0]), each, preposition, self._role)
                yield sql.SQL("ALTER DEFAULT PRIVILEGES IN SCHEMA {} {} {} ON {} {} {}").format(
                    schema, verb, right, _words(kind), preposition, self._role
                )

    def _objects(self, schema: str, kind: str) -> list[sql.Identifier]:
        """Name a schema's tables or sequences that are the administrator's to grant; note the others.

        One of somebody else's would fail GRANT … ON ALL TABLES IN SCHEMA as a whole.
        """
        query = (
            "SELECT relname, pg_has_role(relowner, 'USAGE') OR EXISTS (SELECT FROM aclexplode(relacl) AS acl "
            "WHERE acl.is_grantable AND pg_has_role(acl.grantee, 'USAGE')) "
            "FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace "
            "WHERE nspname = %s AND relkind::text = ANY(%s) ORDER BY relname"
        )
        mine = []
        for name, grantable in self._rows(query, schema, _KINDS[kind][1]):
            if grantable:
                mine.append(sql.Identifier(schema, name))
            elif (title := f"{schema}.{name}") not in self._left_out:
                self._left_out.append(title)
        return mine

    def _run(self, statement: sql.SQL | sql.Composed, *parts: sql.Composable) -> None:
        self._connection.execute(statement.format(*parts) if isinstance(statement, sql.SQL) else statement)

    def _rows(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        return self._connection.execute(query, parameters).fetchall()


def _words(text: str) -> sql.SQL:
    # `grants` has made sure that it is words and nothing else.
    return sql.SQL(cast("LiteralString", text))
