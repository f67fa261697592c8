"""Whatever stands where a property is expected, no rule fails, and none runs for ever."""

from __future__ import annotations

import copy
import json
import os
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .templates import checked

SEED = json.loads((Path(__file__).parent / "every_resource.json").read_text())
EXAMPLES = int(os.environ.get("BREAKWATER_MUTATIONS", "100"))
IDS = [*SEED["Resources"], "Gone", "Stage", "AWS::NoValue", "AWS::Region"]

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(IDS)
NAMES = """Ref Fn::GetAtt Fn::If Fn::Sub Fn::Join Fn::Select Fn::Split Fn::FindInMap Fn::ImportValue Fn::Transform
Fn::ForEach::X Fn::ToJsonString Fn::Equals Fn::Not Fn::And Condition Fn::Gone Type Properties Default Statement Arn"""
functions = st.sampled_from(NAMES.split())
values = st.recursive(
    scalars
    | st.sampled_from(IDS).map(lambda name: {"Ref": name})
    | st.sampled_from(IDS).map(lambda name: {"Fn::GetAtt": [name, "Arn"]})
    | st.sampled_from(IDS).map(lambda name: {"Fn::Sub": f"arn:aws:sqs:${{AWS::Region}}:1:${{{name}}}"}),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(functions | st.sampled_from(IDS), inner, max_size=3),
    max_leaves=8,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, child in children for place in places(child, (*path, key)))]


PLACES = [place for place in places(SEED) if place]


@settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
@given(mutations=st.lists(st.tuples(st.sampled_from(PLACES), values), min_size=1, max_size=4))
def test_no_rule_fails(mutations: list[tuple[tuple[Any, ...], Any]]) -> None:
    body = copy.deepcopy(SEED)
    for (*path, last), value in mutations:
        parent: Any = body
        try:
            for name in path:
                parent = parent[name]
            parent[last] = value
        except (KeyError, IndexError, TypeError):
            continue  # a mutation before this one took its place away
    assert checked(body).failures == []
