from __future__ import annotations

from pathlib import Path

import griffe
import pytest

from .breaks import find_breaks

BEFORE = "class Share:\n    def limit(self, function, count=1): ...\n    def hold(self): ...\n"


def package(folder: Path, code: str, module: str = "share") -> griffe.Object | griffe.Alias:
    root = folder / "shares"
    root.mkdir(parents=True)
    (root / "__init__.py").write_text(f'from .{module} import Share\n__all__ = ["Share"]\n')
    (root / f"{module}.py").write_text(code)
    return griffe.load("shares", search_paths=[folder], resolve_aliases=True)


@pytest.mark.parametrize(
    ("after", "broken"),
    [
        (BEFORE, []),
        (BEFORE.replace("count=1", "count=1, weight=2"), []),
        (BEFORE.replace("count=1", "count=2"), ["limit"]),
        (BEFORE.replace("count=1", "number=1"), ["limit"]),
        (BEFORE.replace("    def hold(self): ...\n", ""), ["hold"]),
    ],
)
def test_a_move_breaks_nothing_and_a_change_of_what_is_exported_does(
    tmp_path: Path, after: str, broken: list[str]
) -> None:
    old, new = package(tmp_path / "old", BEFORE), package(tmp_path / "new", after, module="other")
    assert {breakage.obj.name for breakage in find_breaks(old, new)} == set(broken)
