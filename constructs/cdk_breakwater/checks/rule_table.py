"""The table of rules in the documentation: ``python -m cdk_breakwater.checks.rule_table > docs/checks.md``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from .rules import RULES

if TYPE_CHECKING:
    from .rule import Rule

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

A value that is known at deployment only is taken to be right. Where conditions decide, a finding holds in every world
that has its resources; what rests on a parameter's default says so. "Connects" is known by evidence, which the finding
names: an address, or a Route 53 record that leads to one, in the environment or in a parameter of Parameter Store, a
readable secret together with a way on the network, or a permission such as `rds-db:connect`. A parameter counts where
the template has it with the address: its value in the environment, its name there together with the permission to read
it, or either where one function alone has it. A permission for a path of parameters or a pattern of secrets is one for
each whose name it takes in, and a variable with a secret's name tells of that secret. A permission for all databases,
such as `rds-db:*` on `*` or `dbuser:*`, counts only together with a way on the network. The Data API, change streams,
proxies and functions that only deployments (custom resources, macros, CodeDeploy's hooks) or rotations call hold no
such connections. A new rule is on trial: it warns, and fails nothing.

A function without a limit that connects to ElastiCache, MemoryDB or Aurora DSQL gets a note: these take more
connections than an account of 1,000 concurrent executions opens. Of a function with a reservation, `MappingConcurrency`
looks at its queues, and `DatabaseQueueConcurrency` doesn't. A function without one is limited all the same where
nothing calls it, or an alias or a version of it, but mappings with a `MaximumConcurrency`: their sum is its share. A
cluster's reader endpoint counts for the writer where there is no reader, else for all readers together.

A mapping that is disabled takes nothing: of it, only what Lambda refuses is reported. An API waits for as long as its
integration's `TimeoutInMillis` says, also where that is less than 29 s. A WebSocket API waits for `$connect` and for
routes with a route response; the others are one-way. Provisioned concurrency that Application Auto Scaling sets is not
counted.

## Any template, without the CDK

`breakwater check PATH…` (extra `cli`) takes CloudFormation in JSON and YAML, SAM (expanded by AWS's translator), cloud
assemblies, the Serverless Framework's `.serverless`, and folders; `--stack NAME` or `--region REGION` what is deployed.
It exits with 0 when nothing is to be found but notes, 1 when something is, 2 when something could not be read, such as
a stack that may not be, or a loop (`Fn::ForEach`) over what the deployment knows. What fails the command is an error in
`sarif`, `junit` and `github`; what is on trial is a warning there. What the app acknowledged is not reported from its
cloud assembly again.

```
breakwater check template.yaml --parameter Stage=prod
breakwater check cdk.out --format sarif > breakwater.sarif     # or json, junit, github
breakwater check . --write-baseline breakwater.json            # then: --baseline breakwater.json
breakwater check --explain MapConcurrency
```

What is meant is suppressed with a reason, in a resource's metadata or in `.breakwater.yaml`, which also turns rules off
and changes severities (`deployment`, `database`, `messages`, `note`):

```yaml
suppress:
  - {rule: QueueVisibilityTimeout, resource: Orders*, reason: the handler is idempotent}
skip: [ClearPassword]
severity: {ApiThrottling: messages}
```

```yaml
Metadata: {breakwater: {suppress: [{rule: QueueVisibilityTimeout, reason: the handler is idempotent}]}}
```

As a step of a GitHub workflow:

```yaml
- run: pip install "cdk-breakwater[cli]"
- run: breakwater check . --format github
```

As a pre-commit hook: `id: breakwater-check` of this repository.

Nested stacks are followed to the file beside their parent, by a path or by the URL of their upload; what they are given
and what they give is known then. So name the root template or the folder. Which of them are not at hand, a line on
standard error says.

## What they find

`python -m benchmarks.checks` plants each mistake of the tests' corpus, which had 164 when this was measured, and
beside it a template almost like it that is right. A tool tells a mistake apart when it says something that it doesn't
say of the right ones.

| of 164 mistakes | this | cdk-nag, five packs | cfn-lint | CDK's validation | checkov | cdk-preflight |
|---|---|---|---|---|---|---|
| told apart | 164 | 19 | 17 | 11 | 11 | 8 |
| found, and said of right ones as well | 0 | 115 | 74 | 52 | 99 | 38 |

The corpus is this library's own, so its 164 say only that none is missed again; the others look for much that these
rules don't, and belong beside them. cfn-lint finds a dead-letter queue of the wrong kind too, and cdk-preflight a
BatchSize without a window and too much provisioned concurrency.

`python -m benchmarks.checks.mutations --count 20000 --seed 1` puts any JSON where a property is expected. With the
seeds 1 to 5, 100,000 templates, no rule failed, and none took longer than 0.2 s.

2,667 public templates of 45 repositories, each a file of its own and with its nested stacks, have 1,553 findings in
723 of them, and no rule fails on any. The 31 of functions that connect to a database without a limit were compared with
their templates, and some 200 of fourteen other rules: none was false. The others are mostly APIs without a rate (504),
and targets, functions and subscriptions that drop what they fail on (484); they were read in samples.

2,000 resources of a hundred services (functions, roles, queues, APIs, databases) take 0.4 to 0.6 s of processor time,
fifteen to thirty times what it takes to parse the file and look at each value once, and 8,000 take 2 to 3 s. 500
functions that may all reach 100 databases take 0.4 s. `python -m benchmarks.checks.speed` measures it.

## Rules
"""


def rule_table() -> str:
    """Write the page: what each rule requires, why, what to change, and where AWS documents it."""
    rows = [
        f"| [`{rule.id}`]({rule.link}) | {_weight(rule)} | {rule.requires} | {rule.reason} | {rule.fix} |"
        for rule in RULES
    ]
    return "\n".join(
        [_INTRODUCTION, "| rule | weight | requires | otherwise | fix |", "|---|---|---|---|---|", *rows, ""]
    )


def _weight(rule: Rule) -> str:
    return f"{rule.severity.text}{', on trial' if rule.trial else ''}"


if __name__ == "__main__":
    sys.stdout.write(rule_table())
