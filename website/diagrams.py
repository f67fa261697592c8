"""The pictures of what each construct makes: `python -m website.diagrams` draws them from the examples' templates."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from . import layered_picture, template_graph

ROOT = Path(__file__).parents[1]
# Each picture's title, by the example whose template it shows.
PICTURES = {
    "vpc": "VpcDatabaseFunction: a function in private subnets, and its database",
    "public_tls": "PublicSslDatabaseFunction: a function outside any VPC, and a public database",
    "data_api": "DataApiFunction: a function and the Data API of an Aurora cluster",
    "proxy": "proxy=True: functions before an RDS Proxy, and one beside it",
    "decoupled_sqs": "DecoupledInvocation: a queue before a function and its database",
    "decoupled_kinesis": "DecoupledInvocation: a Kinesis stream before a function and its database",
    "front_door": "add_front_door: an API that puts requests into the queue, and tells their results",
    "throttled_rest_api": "ThrottledApi: a REST API before two functions of one database",
    "quota_throttled_invocation": "QuotaThrottledInvocation: queues, a dispatcher, and the function that it calls",
}


def path(example: str) -> Path:
    """Return where the picture of an example stands."""
    return ROOT / "docs" / f"architecture_{example}.svg"


def drawn(example: str, folder: Path) -> str:
    """Draw the one template in the folder into which the example was synthesized."""
    (template,) = folder.glob("*.template.json")
    graph = template_graph.read(json.loads(template.read_text(encoding="utf-8")))
    return layered_picture.picture(graph, PICTURES[example])


def _write_all() -> None:
    os.environ["CDK_VALIDATION"] = "false"  # `make synth` and the tests run CloudFormation's rules
    from tests.examples import synthesis

    for example in PICTURES:
        with tempfile.TemporaryDirectory() as folder:
            synthesis.synthesize(ROOT / "examples" / f"{example}.py", Path(folder))
            path(example).write_text(drawn(example, Path(folder)), encoding="utf-8")


if __name__ == "__main__":
    _write_all()
