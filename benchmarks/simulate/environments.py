"""How many environments AWS Lambda had on average, as others measured it, and how many the simulation has.

`aws_lambda.csv` is from the experiments that SimFaaS was held against: Poisson arrivals at a function of 2 s, for days.
Source: Mahmoudi and Khazaei, "SimFaaS: A Performance Simulator for Serverless Computing Platforms", CLOSER 2021, with
examples/exp.csv and examples/04-Experiment-Comparison.ipynb of github.com/pacslab/serverless-performance-simulator (MIT
License, Copyright (c) 2020 Nima Mahmoudi).
"""

from __future__ import annotations

import csv
import math
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from cdk_breakwater.simulation.application import Application, Function
from cdk_breakwater.simulation.duration import Duration
from cdk_breakwater.simulation.entries import Direct
from cdk_breakwater.simulation.load import poisson
from cdk_breakwater.simulation.run import Model, simulate

if TYPE_CHECKING:
    from random import Random

DOCUMENT = Path(__file__).parents[2] / "docs" / "simulate.md"
MEASURED = Path(__file__).with_name("aws_lambda.csv")
# The means of the same experiments.
WARM_SECONDS, COLD_SECONDS, IDLE_SECONDS = 1.9813, 2.3037, 600
REQUESTS, LEAST_SECONDS = 8_000, 60_000
SIMFAAS_ERROR = 0.0305
"""Of its own average count of instances against the same measurements, as that notebook prints it."""


class Exponential(Duration):
    """Durations without memory, as SimFaaS takes them."""

    def sample(self, chance: Random) -> float:
        """Draw one."""
        return chance.expovariate(1 / self.mean)


def environments_table() -> list[str]:
    """Simulate each experiment; about a minute."""
    with MEASURED.open(encoding="utf-8", newline="") as file:
        rows = [(float(row["requests_per_second"]), float(row["environments"])) for row in csv.DictReader(file)]
    lines = ["| requests a second | environments on AWS | simulated |", "| --- | --- | --- |"]
    errors = []
    for rate, measured in rows:
        simulated = _environments(rate)
        errors.append(abs(simulated / measured - 1))
        lines.append(f"| {rate:.3g} | {measured:.2f} | {simulated:.2f} |")
    mean = f"Mean error over {len(rows)} loads: {fmean(errors):.2%}; SimFaaS's own: {SIMFAAS_ERROR:.2%}."
    return [*lines, "", mean]


def _environments(rate: float) -> float:
    function = Function("F", Exponential(WARM_SECONDS), math.inf, cold_start=COLD_SECONDS - WARM_SECONDS)
    load = poisson(rate, max(LEAST_SECONDS, REQUESTS / rate))
    entry = Direct("D", "F", load, waits=True)
    application = Application((entry,), {"F": function}, {}, 1_000, idle=IDLE_SECONDS, refused=0)
    return simulate(application, model=Model.EVENTS).functions["F"].environments.mean
