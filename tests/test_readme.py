"""Every Python block of the README and of docs/constructs.md runs, as one app; the README keeps its promises."""

from __future__ import annotations

import re
import subprocess
import sys
from inspect import signature
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import pytest
from servers import PostgreSqlServer
from website import burst, designs, recording, shares

from cdk_breakwater.cli.main import app as cli

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONSTRUCTS = (ROOT / "docs" / "constructs.md").read_text(encoding="utf-8")


def blocks(page: str, language: str = "python") -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page, flags=re.MULTILINE | re.DOTALL)


EXAMPLE, HANDLER = blocks(README)
AROUND, *OTHERS = blocks(CONSTRUCTS)
FIRST = AROUND + EXAMPLE


def between(marker: str) -> str:
    return README.partition(f"<!-- {marker} -->")[2].partition(f"<!-- /{marker} -->")[0]


@pytest.fixture(scope="module")
def assembly(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The app that the blocks make: the one around the README's example, the example, and the others of the page."""
    folder = tmp_path_factory.mktemp("readme")
    (folder / "src").mkdir()
    for name in ("orders", "reports", "nightly", "existing", "public", "producer", "sync", "caller", "data"):
        (folder / "src" / f"{name}.py").write_text("def handler(event, context): pass\n", encoding="utf-8")
    (folder / "first.py").write_text(FIRST + "\napp.synth()\n", encoding="utf-8")
    (folder / "whole.py").write_text("\n".join([FIRST, *OTHERS]) + "\napp.synth()\n", encoding="utf-8")
    return folder


def synthesize(assembly: Path, script: str) -> Path:
    out = assembly / f"{script}.out"
    environment = {"CDK_OUTDIR": str(out), "PATH": str(Path(sys.executable).parent), "HOME": str(Path.home())}
    done = subprocess.run(
        [sys.executable, f"{script}.py"], cwd=assembly, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return out


def test_the_first_example_and_its_plan(assembly: Path) -> None:
    command = [Path(sys.executable).with_name("breakwater"), "plan", synthesize(assembly, "first")]
    shown = subprocess.run(command, check=True, capture_output=True, text=True, env={"COLUMNS": "100"}).stdout
    printed = [line.strip() for line in shown.splitlines() if line.strip()]
    assert [line.strip() for line in between("plan").splitlines() if line.strip() and "```" not in line] == printed


def test_all_examples_make_one_app(assembly: Path) -> None:
    out = synthesize(assembly, "whole")
    assert (out / "Shop.template.json").is_file()


def test_the_node_js_block_is_the_example_that_a_test_runs() -> None:
    (block,) = blocks(CONSTRUCTS, "js")
    assert block == (ROOT / "examples" / "nodejs" / "orders.mjs").read_text(encoding="utf-8")


def test_the_numbers_in_comments() -> None:
    namespace: dict[str, Any] = {}
    for block in (FIRST, OTHERS[0]):
        exec(block.replace('from_asset("src")', 'from_inline("pass")'), namespace)  # noqa: S102 -- the page's own code
    commented = re.findall(r"^(budget\.\w+) +# (\d+|\".*\")", OTHERS[0], flags=re.MULTILINE)
    assert len(commented) == 4
    for expression, value in commented:
        assert eval(expression, namespace) == eval(value)  # noqa: S307 -- the page's own code


def test_the_handler_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    with PostgreSqlServer() as server:
        namespace: dict[str, Any] = {}
        source = HANDLER.replace(
            "breakwater.database()",
            f"breakwater.database(engine='postgresql', host={server.host!r}, port={server.port}, user={server.user!r}, "
            f"password={server.password!r}, database={server.database!r})",
        )
        exec(source, namespace)  # noqa: S102 -- the page's own code
        context = SimpleNamespace(get_remaining_time_in_millis=lambda: 30_000)
        assert namespace["handler"]({}, context) == (1,)
        assert namespace["handler"]({}, context) == (1,)
        namespace["database"].close()


def test_it_fits_three_screens() -> None:
    assert len(README.splitlines()) <= 150
    assert len(EXAMPLE.splitlines()) <= 10


def test_the_pictures_are_those_of_their_commands() -> None:
    pictures = {"burst.svg": burst.picture(), "designs.svg": designs.drawn(), **shares.pictures()}
    for name, picture in pictures.items():
        assert (ROOT / "docs" / name).read_text(encoding="utf-8") == picture, f"{name}: run make docs-tables"


def test_the_recording_of_the_demo_shows_its_verdict_and_nothing_of_the_machine() -> None:
    picture = recording.PICTURE.read_text(encoding="utf-8")
    shown = "".join(ElementTree.fromstring(picture).itertext()).replace("\N{NO-BREAK SPACE}", " ")  # noqa: S314 -- our own
    for line in ("refused by the database", "written, once each", "Every order is there exactly once"):
        assert line in shown
    assert "prefers-reduced-motion" in picture
    assert not re.search(r"/(home|root|tmp|work|Users|private|usr)/", picture)
    assert len(picture) < 300_000
    turning = [(0.0, "⠋ Deploy"), (0.1, "⠙ Deploy"), (2.0, "✓ Deploy"), (2.1, "✓ Deploy"), (3.0, "done")]
    assert [moment for moment, _ in recording.without_turning(turning)] == [0.0, 2.0, 3.0]


def test_the_commands_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"^    make ([\w-]+)", README, flags=re.MULTILINE)
    assert "demo" in targets
    for target in targets:
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target
    commands = {command.name for command in cli.registered_commands}
    assert {"init", "check", "simulate"} <= set(re.findall(r"^    breakwater (\w+)", README, re.MULTILINE)) <= commands


def test_every_link_leads_somewhere() -> None:
    for page, folder in ((README, ROOT), (CONSTRUCTS, ROOT / "docs")):
        for target in re.findall(r"\]\(([^)#]+)", page):
            assert target.startswith("https://") or (folder / target).exists(), target


def test_what_people_ask_is_answered_and_its_calls_exist() -> None:
    from cdk_breakwater import Downstream, InvocationSource

    assert "docs/questions.md" in README
    page = (ROOT / "docs" / "questions.md").read_text(encoding="utf-8")
    questions = re.findall(r"^## (.+)$", page, flags=re.MULTILINE)
    for words in ("isolated subnets", "psycopg2", "one at a time", "another app", "default VPC", "cdk-nag"):
        assert any(words in question for question in questions), words
    for called, function in (("connect", Downstream.connect), ("sqs", InvocationSource.sqs)):
        given = {name for call in re.findall(rf"\.{called}\(([^`]*)\)`", page) for name in re.findall(r"(\w+)=", call)}
        assert given <= signature(function).parameters.keys()
        assert given
