"""The table of rules in the documentation: ``python -m cdk_breakwater.checks.rule_table > docs/checks.md``."""

from __future__ import annotations

import sys

from .rules import RULES

_INTRODUCTION = """\
# Checks

`DownstreamChecks` reads the templates of an app, also one without any of this library's constructs, and fails the synth
where its limits don't add up:

```python
from aws_cdk import Acknowledgment, Validations
from cdk_breakwater import DownstreamChecks

Validations.of(app).add_plugins(DownstreamChecks())
```

A deliberate exception is acknowledged where it is made:

```python
exception = Acknowledgment(id="Breakwater::QueueVisibilityTimeout", reason="why this is right here")
Validations.of(queue).acknowledge(exception)
```

A value that is known at deployment only is taken to be right.
"""


def rule_table() -> str:
    """Write the page: what each rule requires, why, what to change, and where AWS documents it."""
    rows = [f"| [`{rule.id}`]({rule.link}) | {rule.requires} | {rule.reason} | {rule.fix} |" for rule in RULES]
    return "\n".join([_INTRODUCTION, "| rule | requires | otherwise | fix |", "|---|---|---|---|", *rows, ""])


if __name__ == "__main__":
    sys.stdout.write(rule_table())
