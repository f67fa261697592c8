"""axe-core in a page: what hinders readers who see little, hear the page, or have no mouse."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

SCRIPT = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"

# Contrast is a matter of two colours and the size of the text. So each combination is looked at once, where it comes
# first: axe takes seconds for the contrast of a page with much code.
_NEW_COMBINATIONS = """(known) => {
  const seen = new Set(known);
  window.withNewColours = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !element.checkVisibility()) continue;
    const style = getComputedStyle(element);
    let ground = element;
    while (ground.parentElement && getComputedStyle(ground).backgroundColor === "rgba(0, 0, 0, 0)") {
      ground = ground.parentElement;
    }
    const behind = getComputedStyle(ground).backgroundColor;
    const combination = [style.color, style.fontSize, style.fontWeight, behind].join();
    if (!seen.has(combination)) window.withNewColours.push(element);
    seen.add(combination);
  }
  return [...seen];
}"""
_VIOLATIONS = """async ([contrastOnly, impacts]) => {
  const options = contrastOnly
    ? {runOnly: ["color-contrast"]}
    : {rules: {"color-contrast": {enabled: false}}};
  const context = contrastOnly ? {include: window.withNewColours} : document;
  const {violations} = await axe.run(context, {resultTypes: ["violations"], ...options});
  return violations.filter(rule => impacts.includes(rule.impact)).flatMap(rule => rule.nodes.map(
    node => `${rule.id} (${rule.impact}): ${node.html.slice(0, 120)} ${node.any.map(check => check.message).join(" ")}`
  ));
}"""
_HINDERS = ["serious", "critical"]


class Axe:
    """Looks at page after page, in both colour schemes."""

    def __init__(self) -> None:
        self._combinations: list[str] = []

    def violations(self, page: Page) -> list[str]:
        """List what axe calls serious or critical on the page, into which SCRIPT was loaded; it is dark afterwards."""
        found: list[str] = page.evaluate(_VIOLATIONS, [False, _HINDERS])
        for scheme in ("default", "slate"):
            page.evaluate("scheme => { document.body.dataset.mdColorScheme = scheme }", scheme)
            known = len(self._combinations)
            self._combinations = page.evaluate(_NEW_COMBINATIONS, self._combinations)
            if len(self._combinations) > known:
                found += [f"{scheme}: {violation}" for violation in page.evaluate(_VIOLATIONS, [True, _HINDERS])]
        return found
