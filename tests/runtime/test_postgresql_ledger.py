"""What a message to PostgreSQL can do to the transaction that it is sent in, told by its text."""

from __future__ import annotations

import pytest

from breakwater_runtime._postgresql.ledger import Kind, kind_of


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("SELECT 1", Kind.PLAIN),
        ("INSERT INTO t VALUES ('a COMMIT; or an end')", Kind.ANYTHING),  # it can't be told apart, so it is the worse
        ("INSERT INTO t VALUES ('a COMMIT or an end')", Kind.PLAIN),
        ("/* by a commenter */ UPDATE t SET a = CASE WHEN b THEN 1 END;", Kind.PLAIN),
        ("CREATE TABLE t (id int)", Kind.PLAIN),
        ("DO $$ BEGIN PERFORM 1; END $$", Kind.STEPS),
        ("--\nCALL nightly()", Kind.STEPS),
        ("CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$ BEGIN NULL; END; $$", Kind.PLAIN),
        ("DO $$ BEGIN COMMIT; END $$", Kind.ANYTHING),
        ("CREATE TABLE t (id int); END", Kind.ANYTHING),
        ("SAVEPOINT one", Kind.PLAIN),
        ("ROLLBACK TO SAVEPOINT one", Kind.PLAIN),
        ("ROLLBACK WORK TO one;", Kind.PLAIN),
        ("ROLLBACK TO one; COMMIT", Kind.ANYTHING),
        ("BEGIN", Kind.BEGIN),
        ("start transaction isolation level serializable", Kind.BEGIN),
        ("BEGIN; COMMIT", Kind.ANYTHING),
        ("COMMIT", Kind.COMMIT),
        ("-- a line\n commit work and no chain ;", Kind.COMMIT),
        ("/* a /* comment */ COMMIT AND CHAIN", Kind.COMMIT),
        ("end transaction", Kind.COMMIT),
        ("ROLLBACK", Kind.ROLLBACK),
        ("abort and chain", Kind.ROLLBACK),
        ("INSERT INTO t VALUES (1); COMMIT", Kind.ANYTHING),
        ("PREPARE TRANSACTION 'one'", Kind.ANYTHING),
        (None, Kind.ANYTHING),
    ],
)
def test_the_kind_of_a_message(text: str | None, kind: Kind) -> None:
    assert kind_of(None if text is None else text.encode()) is kind


def test_a_long_message_is_told_in_time() -> None:
    assert kind_of(b"INSERT INTO t VALUES ('" + b"x" * 20_000_000 + b"')") is Kind.PLAIN
    assert kind_of(b"/*" + b"*" * 100_000) is Kind.PLAIN
    assert kind_of(b"COMMIT" + b" " * 100_000 + b"one") is Kind.ANYTHING
