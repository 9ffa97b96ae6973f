"""The page of the Stars demo in a browser, while ``tortie demo stars`` walks its steps at a terminal.

    browser ── 127.0.0.1, this network namespace ──► management-ui's process ── lab's network ──► F, B, C

The demo is walked once; what the page showed at each step is written down on the way, and looked at by the tests.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
from browser import PATIENCE_MS, browsing, contrasts
from terminals import Terminal, address_of, at_a_terminal

from tortie.lab import client

if TYPE_CHECKING:
    from playwright.sync_api import Page

SCREENSHOTS = Path(__file__).parents[2] / "docs" / "screenshots"

ALL = {(a, b) for a in "FBC" for b in "FBC" if a != b}
NODES = [set("FBC"), set(), set("FBC"), set("FBC"), set("FBC")]
ARROWS = [ALL, set(), set(), {("F", "B")}, {("F", "B"), ("C", "F")}]
"""What is drawn at each step, written down here again on purpose."""
NEW_POLICIES = [
    [],
    ["default-deny in stars", "default-deny in client"],
    ["allow-ui in stars", "allow-ui in client"],
    ["backend-policy in stars"],
    ["frontend-policy in stars"],
]

STEPS = [1, 2, 3, 4, 5]

IPV6_DENIED = """
apiVersion: projectcalico.org/v3
kind: NetworkPolicy
metadata: {name: no-ipv6, namespace: stars}
spec:
  order: 1
  selector: role == 'frontend'
  ingress:
  - {action: Deny, ipVersion: 6, source: {selector: role == 'client', namespaceSelector: all()}}
"""


class Shown(NamedTuple):
    """What the page showed."""

    nodes: set[str]
    arrows: set[tuple[str, str]]
    missing: set[tuple[str, str]]
    differing: set[tuple[str, str]]
    step: str
    new_policies: list[str]
    policies: int


class Walk(NamedTuple):
    lab: str
    page: Page
    shown: list[Shown]
    """At each step."""
    unseen: str
    """Why F was not seen at step 2."""
    requested: set[str]
    """The origin of everything that the browser asked for."""
    address: str
    terminal: Terminal


# --- reading the page ----------------------------------------------------------------------------------------------------------


def pairs(page: Page, selector: str) -> set[tuple[str, str]]:
    found = page.locator(f"#connections > {selector}:visible")
    return {tuple(pair) for pair in found.evaluate_all("all => all.map(({dataset}) => [dataset.from, dataset.to])")}


def read(page: Page) -> Shown:
    texts = page.locator("#policies li.new summary").all_inner_texts()
    return Shown(
        nodes=set(page.locator(".service.node .id").all_text_contents()),
        arrows=pairs(page, ".works"),
        missing=pairs(page, ".denied"),
        differing=pairs(page, ".differs"),
        step=page.locator("#step h2").inner_text(),
        new_policies=[" ".join(text.split()).removesuffix(" new") for text in texts],
        policies=page.locator("#policies li").count(),
    )


def settle(page: Page, number: int) -> Shown:
    """What the page shows once that is step *number*; if it never is, what it shows then."""
    wanted = (NODES[number - 1], ARROWS[number - 1], set())
    deadline = time.monotonic() + PATIENCE_MS / 1000
    while True:
        shown = read(page)
        is_there = (shown.nodes, shown.arrows, shown.differing) == wanted and shown.step.startswith(f"Step {number}:")
        if is_there or time.monotonic() > deadline:
            return shown
        page.wait_for_timeout(50)


def click_on_line(page: Page, selector: str) -> None:
    """Click in the middle of an arrow, which is not the middle of the box around it."""
    point = page.locator(f"{selector} .line").evaluate("""(line) => {
      const {x, y} = line.getPointAtLength(line.getTotalLength() / 3).matrixTransform(line.getScreenCTM());
      return {x, y};
    }""")
    page.mouse.click(point["x"], point["y"])


def connection(source: str, destination: str) -> str:
    return f'.connection[data-from="{source}"][data-to="{destination}"]'


@pytest.fixture(scope="module")
def walk(request: pytest.FixtureRequest, shared_name: str, tortie) -> Iterator[Walk]:
    """The demo after its last step, with what the page showed on the way."""
    keep = request.config.getoption("--update-screenshots")

    def screenshot(name: str) -> None:
        if keep:
            page.screenshot(path=SCREENSHOTS / f"{name}.png")

    with (
        browsing() as page,
        at_a_terminal("demo", "stars", "--name", shared_name, "--listen", "127.0.0.1:0") as terminal,
    ):
        requested: set[str] = set()
        page.on("request", lambda asked: requested.add(asked.url))
        address = address_of(terminal)
        page.goto(address)
        shown, unseen = [], ""
        for number in STEPS:
            terminal.read_until(f"Press Enter for step {number + 1}" if number < len(STEPS) else "Press Enter to end")
            shown.append(settle(page, number))
            screenshot(f"stars-{number}")
            if number == 2:
                page.locator('.service[data-id="F"]').click()
                page.locator("#why .reason").wait_for()
                unseen = page.locator("#why").inner_text()
                page.locator("#why .close").click()
            if number < len(STEPS):
                terminal.press_enter()
        if keep:
            drawing = tortie("lab", "graph", "--name", shared_name, "-o", "svg").stdout
            (SCREENSHOTS / "stars-graph.svg").write_text(drawing.replace(shared_name, "stars"))
        page.locator(f"{connection('C', 'B')} .cross").click()
        page.locator("#why .reason").wait_for()
        screenshot("stars-why")
        page.emulate_media(color_scheme="light")
        screenshot("stars-why-light")
        page.emulate_media(color_scheme="dark")
        page.keyboard.press("Escape")
        yield Walk(shared_name, page, shown, unseen, requested, address, terminal)
    assert shared_name not in client.names()


# --- the five steps --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", STEPS)
def test_the_stars_and_arrows_of_each_step_are_the_demo_s_own(walk: Walk, number: int) -> None:
    shown = walk.shown[number - 1]
    assert shown.nodes == NODES[number - 1]
    assert shown.arrows == ARROWS[number - 1]
    assert shown.missing == {(a, b) for a, b in ALL if {a, b} <= shown.nodes} - shown.arrows
    assert shown.differing == set()


@pytest.mark.parametrize("number", STEPS)
def test_the_step_and_its_policies_stand_beside_the_graph(walk: Walk, number: int) -> None:
    shown = walk.shown[number - 1]
    assert shown.step.startswith(f"Step {number}: ")
    assert shown.new_policies == NEW_POLICIES[number - 1]
    assert shown.policies == sum(len(new) for new in NEW_POLICIES[:number])


# --- reasons ---------------------------------------------------------------------------------------------------------------------


def test_a_missing_arrow_tells_the_rule_that_denies_it(walk: Walk) -> None:
    page = walk.page
    page.locator(f"{connection('C', 'B')} .cross").click()
    why = page.locator("#why")
    why.locator(".reason").wait_for()
    assert why.locator("h2").inner_text() == "C → B denied"
    assert why.locator(".reason").inner_text() == (
        "Ingress of stars/backend is denied by the default action of tier default: "
        "no rule of allow-ui, backend-policy or default-deny allows it."
    )
    assert "rule 0 Allow: source 10.65.0." in why.inner_text()
    assert "The same in IPv6." in why.inner_text()
    considered = page.locator("#policies li[data-considered] .policy-name").all_inner_texts()
    assert sorted(considered) == ["allow-ui", "backend-policy", "default-deny"]
    page.keyboard.press("Escape")
    why.wait_for(state="hidden")
    assert page.locator("[data-considered]").count() == 0


def test_an_arrow_tells_the_rule_that_allows_it(walk: Walk) -> None:
    page = walk.page
    click_on_line(page, connection("F", "B"))
    page.locator("#why.allowed").wait_for()
    assert "knp.default.backend-policy, ingress rule 0" in page.locator("#why").inner_text()
    page.locator("#why .close").click()


def test_a_service_that_the_ui_does_not_see_tells_why(walk: Walk) -> None:
    assert "UI → F denied" in walk.unseen
    assert "no rule of default-deny allows it" in walk.unseen


# --- both families -----------------------------------------------------------------------------------------------------------------


def test_where_ipv6_differs_there_is_a_mark(walk: Walk, tortie) -> None:
    page, arrow = walk.page, connection("C", "F")
    done = tortie("--lab", walk.lab, "apply", "-f", "-", text=IPV6_DENIED)
    assert done.returncode == 0, done.stderr
    page.locator(f"{arrow}.works.differs").wait_for()
    assert page.locator(f"{arrow} .badge").text_content() == "IPv6 ✕"
    assert page.locator(arrow).get_attribute("aria-label") == "C to F: works in IPv4, not in IPv6. Why?"
    page.locator(f"{arrow} .badge").click()
    page.locator("#why .family.differs").wait_for()
    assert "In IPv6: denied, ingress: tier default, NetworkPolicy stars/no-ipv6, ingress rule 0." in (
        page.locator("#why").inner_text()
    )
    assert "no-ipv6 in stars added" in " ".join(page.locator("#policies").inner_text().split())
    done = tortie("--lab", walk.lab, "delete", "caliconetworkpolicy", "no-ipv6", "-n", "stars")
    assert done.returncode == 0, done.stderr
    page.locator(f"{arrow}.works:not(.differs)").wait_for()
    page.locator("#why .family:not(.differs)").wait_for()  # an open explanation follows
    page.keyboard.press("Escape")


# --- for everybody -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_everything_has_enough_contrast(walk: Walk, scheme: str) -> None:
    page = walk.page
    page.emulate_media(color_scheme=scheme)
    page.locator(f"{connection('C', 'B')} .cross").click()
    page.locator("#why .reason").wait_for()
    found = contrasts(page)
    page.keyboard.press("Escape")
    page.emulate_media(color_scheme="dark")
    assert len(found) > 40
    assert [entry for entry in found if entry[2] < entry[1]] == []


def test_the_keyboard_reaches_everything_and_enter_asks_why(walk: Walk) -> None:
    page = walk.page
    page.evaluate("document.activeElement.blur()")
    focused = []
    for _ in range(40):
        page.keyboard.press("Tab")
        here = page.evaluate("(at => at.ariaLabel ?? (at.labels?.[0] ?? at).innerText.trim())(document.activeElement)")
        if here in focused[:1]:
            break
        focused.append(here)
    expected = [
        r"Use light colours",
        *(rf"{star}, .*Why\?" for star in "FBC"),
        *(rf"{a} to {b}: .*Why\?" for a, b in ALL),
    ]
    expected += [r"denied connections", r"moving markers", *([r"default-deny\s.*"] * 2), r"frontend-policy\s.*"]
    for pattern in set(expected):
        matching = [text for text in focused if re.fullmatch(pattern, text, flags=re.DOTALL)]
        assert len(matching) == expected.count(pattern), (pattern, focused)
    page.locator(connection("B", "F")).focus()
    page.keyboard.press("Enter")
    page.locator("#why.denied").wait_for()
    assert page.locator(connection("B", "F")).get_attribute("aria-pressed") == "true"
    page.keyboard.press("Escape")
    page.locator("#why").wait_for(state="hidden")


def test_what_is_denied_can_be_hidden(walk: Walk) -> None:
    page = walk.page
    page.get_by_label("denied connections").uncheck()
    assert pairs(page, ".denied") == set()
    assert pairs(page, ".works") == ARROWS[-1]
    page.get_by_label("denied connections").check()


def test_the_reader_s_choice_of_light_or_dark_is_remembered(walk: Walk) -> None:
    page = walk.page
    paper = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(paper)
    page.get_by_role("button", name="Use light colours").click()
    light = page.evaluate(paper)
    page.reload()
    page.locator(connection("C", "F")).wait_for()
    assert page.evaluate(paper) == light != dark
    page.get_by_role("button", name="Use dark colours").click()
    assert page.evaluate(paper) == dark


def test_everything_comes_from_the_lab(walk: Walk) -> None:
    assert {f"{walk.address}assets/graph.js", f"{walk.address}events"} <= walk.requested
    assert {url for url in walk.requested if not url.startswith(walk.address)} == set()


def test_when_the_lab_has_ended_the_page_says_so(walk: Walk) -> None:
    walk.terminal.press_enter()
    walk.page.locator("#connection.lost").wait_for()
    assert walk.page.locator("#connection").inner_text() == "the lab does not answer"
