"""Write the tables of docs/costs.md anew: `python -m website.costs`."""

from __future__ import annotations

from .apps import measure
from .page import PAGE, with_tables

PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8"), measure()), encoding="utf-8")
