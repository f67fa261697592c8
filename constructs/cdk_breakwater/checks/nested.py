"""The files of nested stacks."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from .answers import Unknown, known_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from .resource import Resource
    from .template import Template


def nested_file(resource: Resource, assets: Callable[[Path], Mapping[str, Path]]) -> Path | None:
    """Give the template of a nested stack: by the CDK's metadata, its asset manifest, or a path as before packaging."""
    above = _files_above(resource.template)
    return next((path for path in _candidates(resource, assets) if path.resolve() not in above), None)


def closes_a_circle(resource: Resource, assets: Callable[[Path], Mapping[str, Path]]) -> bool:
    """Tell whether a nested stack's template is one that it is nested in."""
    above = _files_above(resource.template)
    return any(path.resolve() in above for path in _candidates(resource, assets))


def _candidates(resource: Resource, assets: Callable[[Path], Mapping[str, Path]]) -> list[Path]:
    folder = resource.template.path.parent
    url = resource.text("TemplateURL")
    written = (resource.metadata.get("aws:asset:path"), url)
    named = [folder / name for name in written if isinstance(name, str) and _is_path(name)]
    text = known_text(url)
    if isinstance(url, Unknown) and (asset := assets(folder).get(text.rsplit("/", 1)[-1])) is not None:
        named.append(asset)
    named += _files_at(folder, text)
    return [path for path in named if _is_file(path)]


def _files_at(folder: Path, url: str) -> list[Path]:
    """Give where the file may lie that was uploaded to a URL: beside the parent, or in a folder of the same name."""
    parts = [part for part in url.partition("://")[2].split("/")[1:] if part and part != ".."]
    # A folder or file whose name is known at deployment only isn't looked for.
    known = next((number for number, part in reversed([*enumerate(parts, 1)]) if "{" in part or "\0" in part), 0)
    return [folder.joinpath(*parts[number:]) for number in range(known, len(parts))]


def assets_in(folder: Path) -> dict[str, Path]:
    """Read what the asset manifests of a cloud assembly upload: the file of each key.

    The CDK's CLI asks for the metadata that names a nested stack's file. An app that is run without it has this alone.
    """
    return {key: folder / path for manifest in folder.glob("*.assets.json") for key, path in _uploads(manifest)}


def _uploads(manifest: Path) -> list[tuple[str, str]]:
    try:
        files = json.loads(manifest.read_text(encoding="utf-8"))["files"].values()
        return [
            (str(destination["objectKey"]).rsplit("/", 1)[-1], str(file["source"]["path"]))
            for file in files
            for destination in file["destinations"].values()
        ]
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return []  # it is damaged


def _is_path(name: str) -> bool:
    return bool(name) and "://" not in name and "\0" not in name


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name too long for a file
        return False


def _files_above(template: Template) -> set[Path]:
    above = {template.path.resolve()}
    while template.nested_by is not None:
        template = template.nested_by.template
        above.add(template.path.resolve())
    return above
