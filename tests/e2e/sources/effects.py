"""The tables that the functions write into, and what is in them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from demo.administrator import administrator
from servers import MariaDbServer

from tests.e2e.sources.records import GROUPS

if TYPE_CHECKING:
    from demo.administrator import SqlServer


@dataclass(frozen=True)
class Effects:
    """What the functions wrote.

    Attributes
    ----------
    in_order
        Numbers of the records of each group, in the order in which they were written.
    counted
        Effects in each group, one that was applied twice counted twice.
    """

    in_order: dict[int, list[int]]
    counted: dict[int, int]

    @property
    def numbers(self) -> list[int]:
        return sorted(number for numbers in self.in_order.values() for number in numbers)


def make_tables(server: SqlServer) -> None:
    mariadb = isinstance(server, MariaDbServer)
    position = "BIGINT NOT NULL AUTO_INCREMENT UNIQUE" if mariadb else "BIGSERIAL"
    with administrator(server) as admin, admin.cursor() as cursor:
        cursor.execute(f"CREATE TABLE effects (number INT PRIMARY KEY, in_group INT NOT NULL, position {position})")
        cursor.execute("CREATE TABLE totals (in_group INT PRIMARY KEY, effects INT NOT NULL)")
        cursor.executemany("INSERT INTO totals VALUES (%s, 0)", [(group,) for group in range(GROUPS)])
        if not mariadb:  # there the application's user owns the database already
            cursor.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {server.user}")
            cursor.execute(f"GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {server.user}")


def read_effects(server: SqlServer) -> Effects:
    in_order: defaultdict[int, list[int]] = defaultdict(list)
    with administrator(server) as admin, admin.cursor() as cursor:
        cursor.execute("SELECT in_group, number FROM effects ORDER BY position")
        for group, number in cursor.fetchall():
            in_order[group].append(number)
        cursor.execute("SELECT in_group, effects FROM totals")
        return Effects(dict(in_order), dict(cursor.fetchall()))
