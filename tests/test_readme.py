"""Every Python block of the README runs, in the order of the page; the first screen is what a reader was promised."""

from __future__ import annotations

import re
import subprocess
import sys
from inspect import signature
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from servers import PostgreSqlServer

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)
IN_THE_FUNCTION = [block for block in BLOCKS if "import breakwater_runtime" in block]
IN_THE_APP = [block for block in BLOCKS if block not in IN_THE_FUNCTION]


def between(marker: str) -> str:
    return README.partition(f"<!-- {marker} -->")[2].partition(f"<!-- /{marker} -->")[0]


@pytest.fixture(scope="module")
def assembly(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The app that the README's blocks make when they are typed in one after the other."""
    folder = tmp_path_factory.mktemp("readme")
    (folder / "src").mkdir()
    for name in ("orders", "reports", "nightly", "existing", "public", "producer", "sync", "caller", "data"):
        (folder / "src" / f"{name}.py").write_text("def handler(event, context): pass\n", encoding="utf-8")
    (folder / "first.py").write_text(IN_THE_APP[0] + "\napp.synth()\n", encoding="utf-8")
    (folder / "whole.py").write_text("\n".join(IN_THE_APP) + "\napp.synth()\n", encoding="utf-8")
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
    (block,) = re.findall(r"^```js\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)
    assert block == (ROOT / "examples" / "nodejs" / "orders.mjs").read_text(encoding="utf-8")


def test_the_numbers_in_comments() -> None:
    namespace: dict[str, Any] = {}
    for block in IN_THE_APP[:2]:
        exec(block.replace('from_asset("src")', 'from_inline("pass")'), namespace)  # noqa: S102 -- the README's own code
    commented = re.findall(r"^(budget\.\w+) +# (\d+|\".*\")", IN_THE_APP[1], flags=re.MULTILINE)
    assert len(commented) == 4
    for expression, value in commented:
        assert eval(expression, namespace) == eval(value)  # noqa: S307 -- the README's own code


def test_the_handler_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    (handler,) = IN_THE_FUNCTION
    with PostgreSqlServer() as server:
        namespace: dict[str, Any] = {}
        source = handler.replace(
            "breakwater.database()",
            f"breakwater.database(engine='postgresql', host={server.host!r}, port={server.port}, user={server.user!r}, "
            f"password={server.password!r}, database={server.database!r})",
        )
        exec(source, namespace)  # noqa: S102 -- the README's own code
        context = SimpleNamespace(get_remaining_time_in_millis=lambda: 30_000)
        assert namespace["handler"]({}, context) == (1,)
        assert namespace["handler"]({}, context) == (1,)
        namespace["database"].close()


def test_the_two_commands_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^    make (\w+)", README, flags=re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE)


def test_every_link_leads_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert target.startswith("https://") or (ROOT / target).exists(), target


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
