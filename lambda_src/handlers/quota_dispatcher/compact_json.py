"""State as JSON without spaces."""

from __future__ import annotations

import json

# State is made of new lists and dictionaries each time, so it holds no cycle: the search for one takes half the time.
dumps = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode
