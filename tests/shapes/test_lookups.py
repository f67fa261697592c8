"""Look-ups through the real CLI: a first pass with dummy values, and a second with what an account would answer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
APP = Path(__file__).with_name("lookups_app.py")


def subnet_group(name: str, kind: str, third: int) -> dict[str, Any]:
    return {
        "name": name,
        "type": kind,
        "subnets": [
            {
                "subnetId": f"subnet-{name.lower()}{number}",
                "cidr": f"10.0.{third + number}.0/24",
                "availabilityZone": f"eu-central-1{'ab'[number]}",
                "routeTableId": f"rtb-{name.lower()}{number}",
            }
            for number in range(2)
        ],
    }


ANSWERS: dict[str, Any] = {
    "vpc-provider": {
        "vpcId": "vpc-0main",
        "vpcCidrBlock": "10.0.0.0/16",
        "ownerAccountId": "123456789012",
        "availabilityZones": [],
        "subnetGroups": [
            subnet_group("Public", "Public", 0),
            subnet_group("Apps", "Private", 10),
            subnet_group("Data", "Isolated", 20),
        ],
    },
    "security-group": {"securityGroupId": "sg-0database", "allowAllOutbound": False},
    "key-provider": {"keyId": "0f2c8f6e-1111-2222-3333-444455556666"},
    "parameterName=/partner/host": "db.partner.example",
    "parameterName=/partner/cidr": "203.0.113.0/24",
}


def answer(key: str) -> Any:
    (found,) = [value for part, value in ANSWERS.items() if part in key]
    return found


def synthesize(folder: Path) -> tuple[subprocess.CompletedProcess[str], Path]:
    output = folder / "cdk.out"
    command = [ROOT / "node_modules" / ".bin" / "cdk", "synth", "--quiet", "--no-notices", "--lookups=false"]
    done = subprocess.run(
        [*command, "--app", f"{sys.executable} {APP}", "--output", output],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT / "constructs")},
    )
    return done, output


def test_every_look_up_is_asked_for_and_its_answer_taken(tmp_path: Path) -> None:
    context: dict[str, Any] = {}
    for _ in range(2):
        done, output = synthesize(tmp_path)
        assert (output / "manifest.json").is_file(), done.stderr[-2000:]
        missing = json.loads((output / "manifest.json").read_text())["missing"] if done.returncode else []
        if not missing:
            break
        context |= {item["key"]: answer(item["key"]) for item in missing}
        (tmp_path / "cdk.context.json").write_text(json.dumps(context))
    assert done.returncode == 0, done.stderr[-2000:]
    assert {part for part in ANSWERS if any(part in key for key in context)} == set(ANSWERS)

    resources = json.loads((output / "Shop.template.json").read_text())["Resources"]
    functions = {
        name[:-8]: body["Properties"] for name, body in resources.items() if body["Type"] == "AWS::Lambda::Function"
    }
    assert functions["Orders"]["VpcConfig"]["SubnetIds"] == ["subnet-apps0", "subnet-apps1"]
    assert functions["Isolated"]["VpcConfig"]["SubnetIds"] == ["subnet-data0", "subnet-data1"]
    assert functions["Sync"]["Environment"]["Variables"]["BREAKWATER_HOST"] == "db.partner.example"
    assert "203.0.113.0/24" in json.dumps(resources)
