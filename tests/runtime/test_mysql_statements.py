"""What a statement may have applied, as its text tells: what isn't certainly harmless may have committed."""

from __future__ import annotations

import pytest

from breakwater_runtime._mysql.statements import (
    Kind,
    first_word,
    is_refused_at_once,
    is_to_savepoint,
    kind_of,
    wants_begin,
)

KINDS: dict[Kind, tuple[str, ...]] = {
    Kind.NOTHING: (
        "SELECT 1", "(SELECT 1) UNION (SELECT 2);", "-- of a\n# b\n/* c */ /*Mine*/ SELECT 1", "--\n--\nSELECT 1",
        "SELECT ';', 'it\\'s; so', \"a; b\", `c; d`", "/* a; b */ SELECT 1", "WITH a AS (SELECT 1) SELECT * FROM a",
        "SET time_zone='+01:00'", "SET ROLE clerk", "ROLLBACK", "ROLLBACK TO SAVEPOINT a", "SAVEPOINT a", "USE shop",
        "KILL 7", "SIGNAL SQLSTATE '45000'",
    ),
    Kind.WITH_COMMIT: (
        "INSERT INTO a VALUES ('x; y', '--', '/*! COMMIT */')", "update a set b=1", "--\nINSERT INTO a VALUES (1)",
        "DO f()", "SET @a=f()", "CREATE TEMPORARY TABLE a (b INT)", "DROP  TEMPORARY TABLE a",
        "WITH a AS (SELECT 1) DELETE FROM b", "REPLACE INTO a VALUES (1);  ",
    ),
    Kind.WHAT_IS_OPEN: (
        "BEGIN", "begin work;", "--\nBEGIN", "BEGIN /* of a */", "/* a */ BEGIN -- b", "START TRANSACTION",
        "START /* a */ TRANSACTION WITH CONSISTENT SNAPSHOT", "COMMIT", "--\n-- finish\n--\nCOMMIT", "COMMIT AND CHAIN",
        "LOCK TABLES a WRITE",
    ),
    Kind.ANYTHING: (
        "", "--", "/* never closed COMMIT", "/*! COMMIT */", "/*!50000 COMMIT */", "/*M! COMMIT */",
        "/*!40000 ALTER TABLE a DISABLE KEYS */", "/*!50000 INSERT */ INTO a VALUES (1)", "/*! SELECT */ 1",
        "CALL p()", "--\nCALL p()", "ALTER TABLE a COMMENT 'b'", "--\nALTER TABLE a COMMENT 'b'",
        "CREATE TABLE a (b INT)",
        "EXECUTE IMMEDIATE 'COMMIT'", "EXECUTE p", "BEGIN NOT ATOMIC COMMIT; END", "BEGIN NOT ATOMIC COMMIT END",
        "BEGIN /* a */ NOT ATOMIC COMMIT; END /* b */", "IF 1 THEN COMMIT; END IF", "START REPLICA", "XA COMMIT 'a'",
        "SET STATEMENT max_statement_time=10 FOR COMMIT", "SET /*! STATEMENT a=1 FOR */ COMMIT", "SET autocommit=1",
        "SET @@session.autocommit=ON", "SET PASSWORD = 'a'", "SET DEFAULT ROLE a", "ANALYZE INSERT INTO a VALUES (1)",
        "INSERT INTO a VALUES (1);BEGIN", "SELECT 1; COMMIT", "ROLLBACK; INSERT INTO a VALUES (1); COMMIT",
        "COMMIT; BEGIN", "SELECT 1 -- it's\n; COMMIT -- '", "SELECT 1 /*! ; COMMIT */", "SELECT 'a' # '\n; COMMIT -- '",
        "SELECT 'never closed; COMMIT", "UNLOCK TABLES", "INSERT INTO a VALUES ('" + "x" * 20_000 + "'); COMMIT",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in KINDS.items() for text in texts])
def test_what_a_statement_may_have_applied(kind: Kind, text: str) -> None:
    statement = text.encode()
    assert kind_of(first_word(statement), statement) is kind


def test_a_literal_ends_at_a_backslash_where_that_escapes_nothing() -> None:
    text = rb"INSERT INTO a VALUES ('b\'); COMMIT; SELECT (' ')"
    assert kind_of(b"insert", text, escapes=False) is Kind.ANYTHING


def test_what_a_server_that_is_read_only_refuses_may_have_committed_before() -> None:
    assert is_refused_at_once(b"alter", b"ALTER TABLE a COMMENT 'b'")
    for text in (b"CALL p()", b"BEGIN NOT ATOMIC COMMIT; DELETE FROM a; END", b"COMMIT; DELETE FROM a"):
        assert not is_refused_at_once(first_word(text), text)


def test_a_compound_statement_runs_in_a_transaction() -> None:
    for text, wanted in ((b"BEGIN NOT ATOMIC DELETE FROM a; END", True), (b"BEGIN", False), (b"--\nCOMMIT", False)):
        assert wants_begin(first_word(text), text) is wanted


def test_a_rollback_to_a_savepoint_leaves_the_transaction_open() -> None:
    for text in (b"ROLLBACK TO a", b"/* a */ rollback work to savepoint a", b"ROLLBACK/* a */TO a"):
        assert is_to_savepoint(text)
    for text in (b"ROLLBACK", b"rollback work", b"ROLLBACK /* to a */", b"ROLLBACK AND CHAIN"):
        assert not is_to_savepoint(text)


def test_a_long_comment_takes_no_long_time() -> None:
    text = b"BEGIN " + b"/* a */ " * 20_000 + b"NOT ATOMIC COMMIT; END"
    assert kind_of(first_word(text), text) is Kind.ANYTHING
