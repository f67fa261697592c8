from __future__ import annotations

import re
from pathlib import Path

from website.rule_list import PAGE, section, with_rules

from cdk_breakwater.checks import rules
from cdk_breakwater.checks.rules import RULES


def test_the_page_is_made_from_the_rules() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert with_rules(page) == page, "run: python -m website.rule_list"


def test_each_rule_is_in_a_file_of_its_name_and_in_the_list() -> None:
    files = {file.stem for file in Path(str(rules.__file__)).parent.glob("*.py")} - {"__init__"}
    assert {re.sub(r"(?<!^)(?=[A-Z])", "_", rule.id).lower() for rule in RULES} == files
    for rule in RULES:
        assert section(rule) in PAGE.read_text(encoding="utf-8")
        assert rule.link.startswith("https://docs.aws.amazon.com/")
        for text in (rule.requires, rule.reason, rule.fix):
            assert text.endswith(".")
