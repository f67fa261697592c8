"""`python -m tests.versions.breaks TAG`: what breaks a release's public API and isn't in CHANGELOG."""

from __future__ import annotations

import sys
from pathlib import Path

import griffe

ROOT = Path(__file__).parents[2]
PACKAGES = {"cdk_breakwater": "constructs", "breakwater_runtime": "lambda_src"}


def exported(package: griffe.Object | griffe.Alias) -> griffe.Module:
    """Put what a package exports into one module, so that a move between its own modules is no change."""
    public = griffe.Module(package.name)
    for name in package.exports or []:
        member = package.members[str(name)]
        public.members[str(name)] = member.final_target if isinstance(member, griffe.Alias) else member
    return public


def find_breaks(old: griffe.Object | griffe.Alias, new: griffe.Object | griffe.Alias) -> list[griffe.Breakage]:
    """Compare what two releases of a package export."""
    return list(griffe.find_breaking_changes(exported(old), exported(new)))


def main() -> int:
    (tag,) = sys.argv[1:]
    announced = (ROOT / "CHANGELOG.md").read_text("utf-8").split("\n## ")[1]
    silent = 0
    for package, folder in PACKAGES.items():
        old = griffe.load_git(package, ref=tag, repo=ROOT, search_paths=[folder], resolve_aliases=True)
        new = griffe.load(package, search_paths=[ROOT / folder], resolve_aliases=True)
        for breakage in find_breaks(old, new):
            said = ".".join(breakage.obj.path.split(".")[-2:]) in announced  # ConnectionBudget.share
            silent += not said
            print(f"{'said' if said else 'NOT SAID'}: {breakage.explain(griffe.ExplanationStyle.ONE_LINE)}")
    print(f"{silent} changes of the public API since {tag} break users and are not in CHANGELOG.md")
    return bool(silent)


if __name__ == "__main__":
    raise SystemExit(main())
