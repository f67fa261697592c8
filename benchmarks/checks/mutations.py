"""Put any JSON where a property is expected, in each small template of the tests: no rule may fail, and none may hang.

``python -m benchmarks.checks.mutations --count 20000 --seed 1``; another seed is another piece of the same run.
"""

from __future__ import annotations

import copy
import json
import signal
import time
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from cdk_breakwater.checks import Assembly, check
from cdk_breakwater.cli.template_file import read_template

if TYPE_CHECKING:
    from collections.abc import Iterator

_TESTS = Path(__file__).parents[2] / "tests" / "unit" / "checks"
_SECTIONS = ("Parameters", "Mappings", "Conditions", "Resources", "Outputs")
_FUNCTIONS = """Ref Fn::GetAtt Fn::If Fn::Sub Fn::Join Fn::Select Fn::Split Fn::FindInMap Fn::ImportValue Fn::Transform
Fn::Cidr Fn::ForEach::X Fn::ToJsonString Fn::Equals Fn::Not Fn::And Condition Fn::Gone Type Properties Default
Statement Arn"""
_NUMBERS = (0, -1, 1e308, float("nan"), 2**70)
_TEXTS = (
    "",
    "x",
    "${",
    "{{resolve:ssm:a}}",
    "{{resolve:secretsmanager:a}}",
    "arn:aws:sqs:a:1:b",
    "arn:aws:ssm:*:*:*/*",
)
_EVERY = 50
_SECONDS_EACH = 10


def templates() -> list[dict[str, Any]]:
    """Give the small templates."""
    found: list[dict[str, Any]] = []
    for file in sorted((_TESTS / "corpus").glob("*.yaml")):
        cases = read_template(file).body["cases"]
        found += [{name: case[name] for name in _SECTIONS if name in case} for case in cases.values()]
    return found


def mutated(template: dict[str, Any], random: Random) -> dict[str, Any]:
    """Put other values in one to three places."""
    body: dict[str, Any] = json.loads(json.dumps(template))
    for _ in range(random.randint(1, 3)):
        parent, key = random.choice([*_places(body)])
        names = [*body.get("Resources", {})] if isinstance(body.get("Resources"), dict) else []
        parent[key] = _value(random, [*names, "Gone", "AWS::Region", "AWS::NoValue"], 0)
    return body


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    for key, child in list(value.items()) if isinstance(value, dict) else list(enumerate(value)):
        yield value, key
        if isinstance(child, (dict, list)):
            yield from _places(child)


def _value(random: Random, names: list[str], depth: int) -> Any:
    kind = random.random() + (0.3 if depth > 3 else 0)
    if kind < 0.2:
        return [_value(random, names, depth + 1) for _ in range(random.randint(0, 3))]
    if kind < 0.45:
        keys = random.sample([*_FUNCTIONS.split(), *names], random.choice((0, 1, 1, 1, 2)))
        return {key: _value(random, names, depth + 1) for key in keys}
    if kind < 0.6:
        return {"Fn::GetAtt": [random.choice(names), random.choice(("Arn", "Endpoint.Address", ""))]}
    if kind < 0.75:
        return {"Ref": random.choice(names)}
    return random.choice([None, True, False, *_NUMBERS, *_TEXTS, *names])


def main(count: int = 1000, seed: int = 1) -> None:
    """Check mutated templates, and show each that a rule failed on."""
    random = Random(seed)  # noqa: S311 -- the same run each time
    seeds = templates()
    large = json.loads((_TESTS / "every_resource.json").read_text(encoding="utf-8"))
    failed = 0
    slowest = 0.0
    signal.signal(signal.SIGALRM, _hangs)
    for number in range(count):
        template = mutated(large if number % _EVERY == 0 else random.choice(seeds), random)
        start = time.process_time()
        signal.alarm(_SECONDS_EACH)
        problems = _problems(copy.deepcopy(template))
        signal.alarm(0)
        slowest = max(slowest, time.process_time() - start)
        if problems:
            failed += 1
            typer.echo(f"{problems}\n{json.dumps(template)}")
    typer.echo(f"{count:,} mutated templates: {failed} failures; the slowest took {slowest:.2f} s of processor time.")
    raise typer.Exit(1 if failed else 0)


def _problems(template: dict[str, Any]) -> list[str]:
    assembly = Assembly()
    try:
        assembly.add(Path("template.json"), template)
        return [failure.text for failure in check(assembly).failures]
    except Exception as error:  # what is looked for
        return [f"{type(error).__name__}: {error}"]


def _hangs(*_: object) -> NoReturn:
    raise TimeoutError(f"it took longer than {_SECONDS_EACH} s")


if __name__ == "__main__":
    typer.run(main)
