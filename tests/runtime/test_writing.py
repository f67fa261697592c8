"""Whether a statement may have written something, told by its text."""

from __future__ import annotations

import pytest

from breakwater_runtime._core.writing import may_write
from breakwater_runtime._mysql import statements
from breakwater_runtime._postgresql import ledger


@pytest.mark.parametrize(
    ("text", "may"),
    [
        ("SELECT updated_at, deleted FROM t WHERE a IN (1, 2) AND b = (SELECT MAX(c) FROM u);", False),
        ("SELECT * FROM t FOR UPDATE", False),
        ("/* by a commenter */ SELECT count (*), t.a FROM t", False),
        ("WITH x AS (SELECT 1) SELECT * FROM x", False),
        ("SHOW TABLES", False),
        ("BEGIN", False),
        ("SET NAMES utf8mb4", False),
        ("SELECT pay(1)", True),
        ('SELECT 1, shop."pay" (1)', True),
        ("SELECT f\u00fcrcount(1)", True),
        ("SELECT a INTO b FROM c", True),
        ("SELECT 1; DELETE FROM t", True),
        ("WITH x AS (INSERT INTO t VALUES (1) RETURNING id) SELECT * FROM x", True),
        ("EXPLAIN ANALYZE DELETE FROM t", True),
        ("SET @a = pay(1)", True),
        ("SELECT " + "1" * 20_000, True),
        ("/*!50000 INSERT INTO t VALUES (1) */", True),
        ("INSERT INTO t VALUES (1)", True),
        ("CALL pay()", True),
        ("NOTIFY one", True),
        ("", True),
    ],
)
def test_what_may_have_written(text: str, may: bool) -> None:
    for first_word in (statements.first_word, ledger.first_word):
        assert may_write(first_word(text.encode()), text.encode()) is may
