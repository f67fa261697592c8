"""The pages as the generator reads them: those of the repository, with links that lead to other pages of the site."""

from __future__ import annotations

import ast
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
_LINK = re.compile(r"\]\((?!\w+:|#)([^)#\s]+)(#[^)\s]*)?\)")
_NOT_IN_THE_SEARCH = "---\nsearch:\n  exclude: true\n---\n"  # what was mended is no answer to an error's text
_OUTSIDE_DOCS = {"README.md": "index.md", "CHANGELOG.md": "changelog.md", "docs": "index.md"}


def write(folder: Path) -> dict[str, list[str]]:
    """Write every page into `folder`; return the pages of the two APIs, which no hand lists in the navigation."""
    linked_sources: set[Path] = set()
    originals = [*(ROOT / "docs").rglob("*.md"), ROOT / "README.md", ROOT / "CHANGELOG.md"]
    for original in originals:
        page = _page_of(original)
        text = _with_links_of_the_site(original.read_text(encoding="utf-8"), original, page, linked_sources)
        _write(folder / page, _NOT_IN_THE_SEARCH + text if original.name == "CHANGELOG.md" else text)
    for picture in (ROOT / "docs").rglob("*.svg"):
        _write(folder / picture.relative_to(ROOT / "docs"), picture.read_text(encoding="utf-8"))
    for asset in (Path(__file__).parent / "assets").iterdir():
        _write(folder / asset.name, asset.read_text(encoding="utf-8"))
    for source in linked_sources:
        _write(folder / _page_of(source), _source_page(source))
    _write(folder / "cli.md", _commands())
    return {package: list(_api_pages(folder, package)) for package in ("cdk_breakwater", "breakwater_runtime")}


def _page_of(path: Path) -> Path:
    relative = path.relative_to(ROOT)
    if str(relative) in _OUTSIDE_DOCS:
        return Path(_OUTSIDE_DOCS[str(relative)])
    if relative.parts[0] == "docs":
        return Path(*relative.parts[1:])
    return Path("source", f"{relative}.md")


def _with_links_of_the_site(text: str, original: Path, page: Path, linked_sources: set[Path]) -> str:
    def lead_to_a_page(link: re.Match[str]) -> str:
        target = (original.parent / link[1]).resolve()
        if not target.exists() or not target.is_relative_to(ROOT):
            return link[0]  # what is broken, the check of the built site reports
        target_page = _page_of(target)
        if target_page.parts[0] == "source":
            linked_sources.add(target)
        return f"]({Path(os.path.relpath(target_page, page.parent)).as_posix()}{link[2] or ''})"

    return _LINK.sub(lead_to_a_page, text)


def _source_page(source: Path) -> str:
    files = sorted(source.rglob("*.py")) if source.is_dir() else [source]
    title = source.relative_to(ROOT)
    blocks = (
        f"## `{file.name}`\n\n````python\n{file.read_text(encoding='utf-8')}````\n"
        for file in files
        if file.stat().st_size
    )
    return f"# {title}\n\n" + "\n".join(blocks)


def _api_pages(folder: Path, package: str) -> Iterator[str]:
    names = public_names(package)
    index = f"api/{package}.md"
    listed = "\n".join(f"- [`{name}`]({package}.{name}.md): {summary}" for name, summary in names.items())
    _write(folder / index, f"# `{package}`\n\nThe public API, from its docstrings.\n\n{listed}\n")
    yield index
    for name in names:
        page = f"api/{package}.{name}.md"
        _write(folder / page, f"---\ntitle: {name}\n---\n\n::: {package}.{name}\n")
        yield page


def public_names(package: str) -> dict[str, str]:
    """Read the package's public names and the first sentence of each, without importing it."""
    home = ROOT / {"cdk_breakwater": "constructs", "breakwater_runtime": "lambda_src"}[package] / package
    for node in ast.parse((home / "__init__.py").read_text(encoding="utf-8")).body:
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.value, ast.Dict)
            and ast.unparse(node.targets[0]) == "_MODULES"
        ):
            modules: dict[str, str] = ast.literal_eval(node.value)
            return {name: _summary(home, module, name) for name, module in modules.items()}
    raise ValueError(f"{package} has no _MODULES that names its public API")


def _summary(home: Path, module: str, name: str) -> str:
    path = home.joinpath(*module.strip(".").split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
            text = ast.get_docstring(node)
            if text:  # an overload has none
                return text.partition("\n")[0].replace("``", "`")
        if isinstance(node, ast.ImportFrom) and name in (imported.name for imported in node.names):
            return _summary(home, node.module or "", name)  # handed on
    raise ValueError(f"{file} has no {name} with a docstring")


def _commands() -> str:
    import typer.main
    from typer.cli import get_docs_for_click

    from cdk_breakwater.cli.main import app

    group = typer.main.get_group(app)
    text = get_docs_for_click(obj=group, ctx=typer.Context(group), name="breakwater", title="The command `breakwater`")
    for command in group.commands.values():
        # Typer cuts what a command does after 45 characters
        text = text.replace(command.get_short_help_str(), command.get_short_help_str(limit=200), 1)
    return text


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
