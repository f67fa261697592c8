"""The site as a reader meets it: in a real browser, on a desktop and on a phone, with no other host in reach."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

import pytest
from playwright.sync_api import expect
from website import versions

from .axe import SCRIPT, Axe

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize

pytestmark = pytest.mark.no_cover
DESKTOP: ViewportSize = {"width": 1280, "height": 800}
WITHOUT_MENU = "addEventListener('load', () => document.querySelector('.md-sidebar--primary')?.remove())"
PHONE: ViewportSize = {"width": 390, "height": 844}


@pytest.fixture
def troubles() -> list[str]:
    """Collect errors of the console and requests that leave the machine."""
    return []


@pytest.fixture(params=[DESKTOP, PHONE], ids=["desktop", "phone"])
def page(request: pytest.FixtureRequest, browser: Browser, troubles: list[str]) -> Iterator[Page]:
    """Open an empty page of the size of a screen."""
    with opened(browser, request.param, troubles) as context:
        yield context.new_page()
    assert troubles == []


def opened(browser: Browser, screen: ViewportSize, troubles: list[str]) -> BrowserContext:
    # without motion, nothing has to be waited for until it stands still
    context = browser.new_context(
        viewport=screen, reduced_motion="reduce", permissions=["clipboard-read", "clipboard-write"]
    )
    context.set_default_timeout(60_000)  # a bound on a busy machine, not a promise
    context.on("console", lambda said: troubles.append(said.text) if said.type in {"error", "warning"} else None)
    context.on("weberror", lambda error: troubles.append(str(error.error)))
    context.on(
        "request",
        lambda asked: troubles.append(asked.url) if urlsplit(asked.url).hostname != "127.0.0.1" else None,
    )
    return context


def is_phone(page: Page) -> bool:
    return page.viewport_size == PHONE


def search(page: Page, words: str) -> None:
    page.locator("header label[for=__search]" if is_phone(page) else "header .md-search__button").click()
    page.keyboard.type(words)


def test_every_page_fits_a_phone_and_hinders_nobody(
    browser: Browser, address: str, site: Path, troubles: list[str]
) -> None:
    axe = Axe()
    found: dict[str, list[str]] = {}
    pages = sorted(str(path.relative_to(site)) for path in site.rglob("*.html"))
    assert len(pages) > 90
    with opened(browser, PHONE, troubles) as context:
        context.add_init_script(path=SCRIPT)
        page = context.new_page()
        for name in pages:
            page.goto(address + name)
            too_wide = page.evaluate("() => document.documentElement.scrollWidth - innerWidth")
            faults = [f"{too_wide} pixels wider than the screen"] if too_wide > 0 else []
            faults += axe.violations(page) + troubles
            troubles.clear()
            if faults:
                found[name] = faults
            if name == pages[0]:  # the menu is the same on every page, and more than half of its elements
                context.add_init_script(WITHOUT_MENU)
    assert found == {}


def test_the_navigation_leads_to_a_guide(page: Page, address: str) -> None:
    page.goto(address)
    if is_phone(page):
        page.locator("header label[for=__drawer]").click()
        page.get_by_text("Guides").filter(visible=True).click()
    page.get_by_role("navigation", name="Navigation").get_by_role("link", name="An API with limits").click()
    expect(page.get_by_role("heading", level=1, name="ThrottledApi")).to_be_in_viewport()
    assert page.url == f"{address}throttled_api.html"


@pytest.mark.parametrize(
    ("words", "path"),
    [
        ("DecoupledInvocation", "/api/cdk_breakwater.DecoupledInvocation.html"),
        ("too many clients already", "/error_messages.html"),
        ("UnreservedConcurrentExecution below its minimum value", "/error_messages.html"),
    ],
    ids=["a construct", "an error of a database", "an error of AWS"],
)
def test_a_search_finds(page: Page, address: str, words: str, path: str) -> None:
    page.goto(f"{address}start.html")
    search(page, words)
    page.locator(f"a[href*='{path}?h=']").first.click()
    page.wait_for_url(f"**{path}*")


def test_a_copy_button_copies_the_block(page: Page, address: str) -> None:
    page.goto(f"{address}start.html")
    block = page.locator("pre").filter(has_text="breakwater init")
    block.get_by_title("Copy to clipboard").click()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.splitlines()[:2] == ["pip install 'cdk-breakwater[cli]'", "breakwater init my-app"]
    assert copied.strip() == block.locator("code").inner_text().strip()


def test_dark_mode_stays_on_the_next_page(page: Page, address: str) -> None:
    page.goto(address)
    ground = "() => getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.get_by_title("Dark mode").click()
    dark = page.evaluate(ground)
    assert dark != light
    page.goto(f"{address}why.html")
    assert page.evaluate(ground) == dark
    page.get_by_title("Light mode").click()
    assert page.evaluate(ground) == light


def test_the_button_of_versions_says_which_one_even_where_the_script_comes_late(
    page: Page, address: str, site: Path
) -> None:
    page.route("**/site.js", lambda route: route.fulfill(body=""))
    page.goto(address)
    page.get_by_role("button", name="Select version").wait_for()
    page.add_script_tag(path=site / "site.js")
    page.get_by_role("button", name=f"{site.name}, select version").wait_for()


def test_the_menu_of_versions_leads_to_an_older_one(page: Page, address: str, site: Path) -> None:
    older = site.parent / "0.0.9"
    shutil.copytree(site, older, dirs_exist_ok=True)
    versions.write_list(site.parent)
    page.goto(urljoin(address, "/"))  # leads to the newest
    page.wait_for_url(address)
    page.get_by_role("button", name="select version").focus()
    page.get_by_role("link", name=older.name).click()
    page.wait_for_url(f"**/{older.name}/**")
