"""Build the site, or build and serve it: `python -m website [--serve]`."""

from __future__ import annotations

import sys

from .build import SITE, BrokenSiteError
from .server import listen
from .versions import publish

PORT = 8000

try:
    publish(SITE)
except BrokenSiteError as error:
    sys.exit(str(error))
if "--serve" in sys.argv:
    server = listen(SITE, PORT)
    sys.stderr.write(f"http://127.0.0.1:{PORT}/\n")
    server.serve_forever()
