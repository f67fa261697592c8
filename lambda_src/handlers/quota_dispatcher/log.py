"""Lines of JSON. Bodies of messages never appear in them."""

from __future__ import annotations

import json
import sys


def log(text: str, **details: object) -> None:
    """Write a line."""
    sys.stdout.write(json.dumps({"message": text, **details}) + "\n")
