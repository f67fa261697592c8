"""`python -m benchmarks.runtime`: measure every strategy in every case, print the tables and write them."""

from __future__ import annotations

import argparse
import multiprocessing
import subprocess

from benchmarks.runtime import cases, strategies
from benchmarks.runtime.execution_environment import NODE_FOLDER
from benchmarks.runtime.report import table
from benchmarks.runtime.write import write


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", choices=["mariadb", "postgresql"], action="append")
    parser.add_argument("--case", choices=list(cases.CASES), action="append")
    parser.add_argument("--strategy", action="append")
    parser.add_argument("--seconds", type=float, default=10, help="of each burst")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/runtime.md")
    options = parser.parse_args()
    subprocess.run(["npm", "ci", "--silent", "--no-audit", "--no-fund"], check=True, cwd=NODE_FOLDER)
    context = multiprocessing.get_context("spawn")
    for engine in options.engine or ["mariadb", "postgresql"]:
        for case in options.case or cases.CASES:
            results = []
            for strategy in options.strategy or strategies.of(engine):
                # a process of its own, without threads, since it forks the environments
                with context.Pool(1) as pool:
                    result = pool.apply(cases.measure, (engine, case, strategy, options.seconds))
                results.append(result)
                errors = "; ".join(f"{count}x {text}" for text, count in result.second.errors.most_common(3))
                print(
                    f"{engine:10} {case:10} {strategy:20} {result.second.success_percent:5.1f} % "
                    f"{result.second.ok_per_second:4.0f} ok/s  p99 {result.second.percentile(99):6.0f} ms  "
                    f"opened {result.opened_per_1000:4.0f}  held {result.held_after_pause}  {errors}",
                    flush=True,
                )
            text = table(engine, results)
            print(text)
            if options.write:
                write(f"{engine}, {case}", text)


if __name__ == "__main__":
    main()
