from __future__ import annotations

import inspect

from constructs import Construct

import cdk_breakwater

from .environment import APP


def test_every_construct_is_tried() -> None:
    app = APP.read_text(encoding="utf-8")
    public = {name: getattr(cdk_breakwater, name) for name in cdk_breakwater.__all__}
    constructs = [name for name, value in public.items() if inspect.isclass(value) and issubclass(value, Construct)]
    assert [name for name in constructs if f"    {name},\n" not in app or app.count(name) < 2] == []
    assert len(constructs) > 5
