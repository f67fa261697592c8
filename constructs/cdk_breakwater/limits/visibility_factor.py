"""How long a queue hides a message that a function works on."""

from __future__ import annotations

VISIBILITY_FACTOR = 6
"""A queue's visibility timeout in timeouts of its function, so that throttled batches can be tried again.

Sources: AWS Lambda Developer Guide, "Creating and configuring an Amazon SQS event source mapping"; of a pipe, Amazon
EventBridge User Guide, "Amazon SQS queue as a source".
"""
