"""Build the site, or build and serve it: `python -m website [--serve]`."""

from __future__ import annotations

import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

from .build import SITE, BrokenSiteError, build

PORT = 8000

try:
    build(SITE)
except BrokenSiteError as error:
    sys.exit(str(error))
if "--serve" in sys.argv:
    server = ThreadingHTTPServer(("127.0.0.1", PORT), partial(SimpleHTTPRequestHandler, directory=str(SITE)))
    sys.stderr.write(f"http://127.0.0.1:{PORT}/\n")
    server.serve_forever()
