"""The values of templates' parameters, by `--parameter` and `--parameter-file`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ..errors import BreakwaterError

if TYPE_CHECKING:
    from pathlib import Path


def parameters_of(given: list[str], file: Path | None) -> dict[str, str]:
    """Read parameters, those of a file and those that were given by themselves."""
    found = _parameters_in(file) if file is not None else {}
    for each in given:
        name, equals, value = each.partition("=")
        if not equals:
            raise BreakwaterError("--parameter", f"it has no value (given {each!r}).", "Write NAME=VALUE.")
        found[name] = value
    return found


def see_to_parameters(unknown: list[str]) -> None:
    """Refuse parameters that no template has."""
    if unknown:
        raise BreakwaterError(
            "--parameter",
            f"no template has a parameter {', '.join(map(repr, unknown))}.",
            "Take a name of its Parameters; pseudo parameters, and the values of a deployed stack, are AWS's.",
        )


def _parameters_in(file: Path) -> dict[str, str]:
    try:
        body = json.loads(file.read_text(encoding="utf-8-sig"))
        if isinstance(body, list):
            given = [each for each in body if not each.get("UsePreviousValue")]
            return {str(each["ParameterKey"]): str(each["ParameterValue"]) for each in given}
        return {str(name): str(value) for name, value in body.get("Parameters", body).items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BreakwaterError(
            str(file),
            f"it holds no parameters ({type(error).__name__}: {error}).",
            'Write [{"ParameterKey": "Stage", "ParameterValue": "prod"}], or {"Parameters": {"Stage": "prod"}}.',
        ) from error
