"""Which files are the templates of an app: those of a folder, of a cloud assembly, and of SAM applications."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SUFFIXES = (".json", ".yaml", ".yml", ".template")
# Templates that a build wrote from others, and what isn't the project's own.
_SKIPPED = ("node_modules", ".git", ".venv", "venv", ".aws-sam", "__pycache__", ".tox", ".mypy_cache")


def files_in(folder: Path) -> Iterator[Path]:
    """Give the templates of a folder, or those of the cloud assembly that it is."""
    if (folder / "manifest.json").is_file() and (templates := _of_assembly(folder)):
        yield from templates
        return
    for entry in sorted(folder.iterdir()):
        if entry.is_dir():
            if entry.name not in _SKIPPED and not entry.is_symlink():
                yield from files_in(entry)
        elif entry.suffix in _SUFFIXES and entry.is_file():
            yield entry


def _of_assembly(folder: Path) -> list[Path]:
    """Give the templates of a cloud assembly and of the stages in it."""
    found: list[Path] = []
    for artifact in artifacts_of(folder):
        properties = artifact.get("properties")
        if not isinstance(properties, dict):
            continue
        if artifact.get("type") == "aws:cloudformation:stack" and isinstance(properties.get("templateFile"), str):
            found.append(folder / properties["templateFile"])
        elif artifact.get("type") == "cdk:cloud-assembly" and isinstance(properties.get("directoryName"), str):
            found += _of_assembly(folder / properties["directoryName"])
    return found


def environments_in(folder: Path) -> dict[str, str]:
    """Give where the templates of a cloud assembly are deployed to, by file."""
    return {
        artifact["properties"]["templateFile"]: artifact["environment"]
        for artifact in artifacts_of(folder)
        if isinstance(artifact.get("properties"), dict)
        and isinstance(artifact["properties"].get("templateFile"), str)
        and isinstance(artifact.get("environment"), str)
    }


def artifacts_of(folder: Path) -> list[dict[str, Any]]:
    """Give the artifacts of a cloud assembly; none of a folder that is none."""
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    artifacts = manifest.get("artifacts") if isinstance(manifest, dict) else None
    return [each for each in artifacts.values() if isinstance(each, dict)] if isinstance(artifacts, dict) else []


def applications(file: Path, body: dict[str, Any]) -> Iterator[Path]:
    """Give the files that a template's SAM applications name by a path."""
    for resource in body["Resources"].values():
        properties = resource.get("Properties") if isinstance(resource, dict) else None
        path = properties.get("Location") if isinstance(properties, dict) else None
        if isinstance(path, str) and "://" not in path and "\0" not in path:
            yield (file.parent / path).resolve()


def looks_like_one(file: Path) -> bool:
    """Tell whether a file that can't be read was meant to be a template."""
    try:
        text = file.read_bytes()
    except OSError:
        return True
    return b"AWS::" in text and b"Resources" in text
