"""How many calls a second the dispatcher of a quota makes.

A message takes 2 to 3 ms of a core in it, most of it boto3's (measured on loopback, without TLS). Lambda gives a
function a core's worth of time for each 1,769 MB (AWS Lambda Developer Guide, "Configure Lambda function memory").
"""

from __future__ import annotations

CALLS_PER_CORE = 330
CORE_MIB = 1_769


def most_calls_per_second(memory: float) -> float:
    """Return the calls a second that a dispatcher makes with so much memory (MiB)."""
    return CALLS_PER_CORE * min(1.0, memory / CORE_MIB)
