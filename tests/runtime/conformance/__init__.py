"""What the runtime promises, run against every client, on real servers and through a network that misbehaves.

`promises.py` is the list. A test names the promise that it proves by `@promise(4)`; the table in docs/runtime.md is
made of those marks: `python -m tests.runtime.conformance.table`.
"""
