"""The page of any lab in a browser: what packets say, cell by cell, and why.

host1: web (TCP 80), names (UDP 53), kube-dns     host2: friend, stranger
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browser import PATIENCE_MS, SIZE, browsing, contrasts
from leftovers import eventually
from terminals import address_of, at_a_terminal

from tortie.lab import client
from tortie.lab.client import Lab

if TYPE_CHECKING:
    from playwright.sync_api import Page

SCREENSHOTS = Path(__file__).parents[2] / "docs" / "screenshots"

DATAGRAM_SERVER = """
import socket
with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as everywhere:
    everywhere.bind(("::", 53))
    while everywhere.recv(100):
        pass
"""

PROGRAMS = {
    "web": ("host1", ["webserver"]),
    "names": ("host1", ["python3", "-c", DATAGRAM_SERVER]),
    "friend": ("host2", ["sleep", "1000"]),
    "stranger": ("host2", ["sleep", "1000"]),
}

FRIENDS = """
apiVersion: projectcalico.org/v3
kind: NetworkPolicy
metadata: {name: friends, namespace: shop}
spec:
  selector: app in {'web', 'names'}
  ingress:
    - {action: Allow, ipVersion: 4, source: {selector: app == 'friend'}}
"""


class Watched:
    """A lab's page in a browser."""

    def __init__(self, lab: Lab, page: Page) -> None:
        self.lab = lab
        self.page = page

    def cell(self, source: str, target: str) -> str:
        """The locator of a cell: in words, as a reader hears it."""
        return f'td[aria-label^="{source} to {target}: "]'

    def wait_for(self, source: str, target: str, words: str) -> None:
        self.page.locator(f'td[aria-label="{source} to {target}: {words}. Why?"]').wait_for()


@pytest.fixture(scope="module")
def watched(shared_name: str, tortie) -> Iterator[Watched]:
    with Lab.launch(shared_name, hosts=2) as lab, browsing() as page:
        for name, (host, program) in PROGRAMS.items():
            place = ("--name", shared_name, "-n", "shop", "-l", f"app={name}", "--host", host)
            done = tortie("lab", "run", name, *place, "--", *program)
            assert done.returncode == 0, done.stderr
        with at_a_terminal("lab", "ui", "--name", shared_name, "--listen", "127.0.0.1:0") as terminal:
            page.goto(address_of(terminal))
            found = Watched(lab, page)
            found.wait_for("shop/friend", "shop/names, UDP 53", "works")
            yield found


@pytest.fixture
def friends(watched: Watched, tortie) -> Iterator[None]:
    assert tortie("--lab", watched.lab.name, "apply", "-f", "-", text=FRIENDS).returncode == 0
    watched.wait_for("shop/stranger", "shop/web, TCP 80", "no answer")
    yield
    watched.page.keyboard.press("Escape")
    assert tortie("--lab", watched.lab.name, "delete", "-f", "-", text=FRIENDS).returncode == 0
    watched.wait_for("shop/stranger", "shop/web, TCP 80", "works")


def test_every_workload_has_a_row_and_every_listening_port_a_column_by_host(watched: Watched) -> None:
    page = watched.page
    assert page.locator("tbody th[scope=row]").all_inner_texts() == [
        "kube-system/kube-dns", "shop/names", "shop/web", "shop/friend", "shop/stranger",
    ]  # fmt: skip
    assert page.locator("thead .names th").all_inner_texts() == [
        "kube-system/kube-dns:53", "kube-system/kube-dns:53/UDP", "shop/names:53/UDP", "shop/web:80",
    ]  # fmt: skip
    assert page.locator(".host").all_inner_texts() == ["host1", "host1", "host2"]
    eventually(lambda: page.locator("td.works").count() == 5 * 4 - 4, "all is allowed")
    assert page.locator("td.itself").count() == 4


@pytest.mark.usefixtures("friends")
def test_a_policy_is_seen_in_each_protocol_and_family_and_stands_beside_the_matrix(watched: Watched) -> None:
    for target in ("shop/web, TCP 80", "shop/names, UDP 53"):
        watched.wait_for("shop/friend", target, "works in IPv4, no answer in IPv6")
        watched.wait_for("shop/stranger", target, "no answer")
    watched.wait_for("shop/stranger", "kube-system/kube-dns, UDP 53", "works")
    assert watched.page.locator("#policies .policy-name").all_inner_texts() == ["friends"]
    eventually(lambda: watched.page.locator("td.differs.works").count() == 2, "only the friend's differ")


@pytest.mark.usefixtures("friends")
def test_a_click_tells_the_rule_also_of_a_datagram(watched: Watched, request: pytest.FixtureRequest) -> None:
    page = watched.page
    page.locator(watched.cell("shop/stranger", "shop/names, UDP 53")).click()
    page.locator("#why.denied").wait_for()
    why = page.locator("#why").inner_text()
    assert "shop/stranger → shop/names, UDP port 53" in why
    assert "Ingress of shop/names is denied by the default action of tier default: no rule of friends allows it." in why
    assert page.locator("#policies li[data-considered] .policy-name").all_inner_texts() == ["friends"]
    if request.config.getoption("--update-screenshots"):
        page.screenshot(path=SCREENSHOTS / "lab-page.png")
    page.locator("#why .close").click()
    page.locator("#why").wait_for(state="hidden")
    page.locator(watched.cell("shop/friend", "shop/web, TCP 80")).click()
    page.locator("#why.allowed .family.differs").wait_for()


@pytest.mark.usefixtures("friends")
def test_arrow_keys_move_and_enter_asks_why(watched: Watched) -> None:
    page = watched.page
    page.locator("td[tabindex='0']").focus()
    page.keyboard.press("Home")
    for key in ("ArrowDown",) * 9 + ("ArrowUp",) * 9 + ("ArrowDown",) * 4 + ("End", "ArrowLeft", "ArrowRight"):
        page.keyboard.press(key)
    assert page.locator("td:focus").get_attribute("aria-label") == "shop/stranger to shop/web, TCP 80: no answer. Why?"
    assert page.locator("#readout").inner_text() == "shop/stranger to shop/web, TCP 80: no answer"
    page.keyboard.press("Enter")
    page.locator("#why.denied").wait_for()
    assert page.locator("td[aria-selected]").count() == 1
    page.locator("#why .close").press("Enter")
    page.locator("#why").wait_for(state="hidden")


@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.usefixtures("friends")
def test_all_text_has_enough_contrast(watched: Watched, scheme: str) -> None:
    page = watched.page
    page.emulate_media(color_scheme=scheme)
    page.locator(watched.cell("shop/stranger", "shop/web, TCP 80")).click()
    page.locator("#why .reason").wait_for()
    found = contrasts(page)
    page.emulate_media(color_scheme="dark")
    assert len(found) > 40
    assert [entry for entry in found if entry[2] < entry[1]] == []


def test_a_workload_that_comes_or_goes_is_a_row_more_or_less(watched: Watched, tortie) -> None:
    rows = watched.page.locator("tbody th[scope=row]", has_text="shop/late")
    done = tortie("lab", "run", "late", "--name", watched.lab.name, "-n", "shop", "--", "sleep", "1000")
    assert done.returncode == 0, done.stderr
    rows.wait_for()
    assert tortie("--lab", watched.lab.name, "delete", "pod", "late", "-n", "shop").returncode == 0
    rows.wait_for(state="detached")


NARROW = [pytest.param(390, 844, id="telephone"), pytest.param(640, 360, id="enlarged-twice")]


@pytest.mark.parametrize(("width", "height"), NARROW)
def test_on_a_narrow_screen_names_stay_and_cells_are_wide_enough_for_a_finger(
    watched: Watched, width: int, height: int
) -> None:
    page = watched.page
    page.set_viewport_size({"width": width, "height": height})
    eventually(lambda: page.locator("#matrix.named.marked").count() == 1, "names stand beside the cells")
    cell = page.locator(watched.cell("shop/stranger", "shop/web, TCP 80"))
    box = cell.bounding_box()
    row = page.locator("tbody th[scope=row] span", has_text="shop/stranger").bounding_box()
    page.set_viewport_size(SIZE)
    assert box is not None
    assert row is not None
    assert min(box["width"], box["height"]) >= 24
    assert row["x"] >= 0
    assert row["width"] > 40


def test_a_host_s_name_does_not_stretch_its_cells(watched: Watched) -> None:
    page = watched.page
    page.set_viewport_size({"width": 1280, "height": 240})  # cells smaller than a host's name is long
    size = """() => {
      const wanted = parseFloat(document.querySelector("#matrix").style.getPropertyValue("--cell"));
      const boxes = [...document.querySelectorAll("td.cell")].map((cell) => cell.getBoundingClientRect());
      return [wanted, Math.max(...boxes.map(({ width }) => width)), Math.max(...boxes.map(({ height }) => height))];
    }"""
    eventually(lambda: page.evaluate(size)[0] < 15, "the cells have shrunk")
    wanted, width, height = page.evaluate(size)
    page.set_viewport_size(SIZE)
    assert max(width, height) <= wanted + 4  # the gap between two hosts is part of a cell's box


def processes(lab: Lab) -> list[str]:
    command = lab.exec_command("fabric", ["pgrep", "-fl", "tortie.lab.ui_lab"])
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()


def test_the_page_ends_with_its_command_and_with_the_lab(name: str, launch, start) -> None:
    lab = launch(name, hosts=1)
    with at_a_terminal("lab", "ui", "--name", name, "--listen", "127.0.0.1:0") as terminal:
        address_of(terminal)
        eventually(lambda: processes(lab), "the page is served")
    eventually(lambda: not processes(lab), "Ctrl-C has ended it")
    for end in (signal.SIGTERM, signal.SIGKILL):
        command = start("lab", "ui", "--name", name, "--listen", "127.0.0.1:0")
        assert command.stdout is not None
        assert command.stdout.readline().startswith("Watch it at")
        eventually(lambda: processes(lab), "the page is served")
        os.kill(command.pid, end)
        command.wait(timeout=20)
        eventually(lambda: not processes(lab), "nobody serves the page any more")
    command = start("lab", "ui", "--name", name, "--listen", "127.0.0.1:0")
    assert command.stdout is not None
    assert command.stdout.readline().startswith("Watch it at")
    lab.down()
    assert command.wait(timeout=20) != 0
    assert name not in client.names()


def test_a_demo_without_a_page_of_its_own_has_the_lab_s_with_its_steps(watched: Watched, name: str) -> None:
    browser = watched.page.context.browser
    assert browser is not None
    page = browser.new_page()
    page.set_default_timeout(PATIENCE_MS)
    with at_a_terminal("demo", "simple", "--name", name, "--listen", "127.0.0.1:0") as terminal:
        page.goto(address_of(terminal))
        terminal.read_until("Press Enter for step 2")
        cell = 'td[aria-label^="policy-demo/{} to policy-demo/nginx-2, TCP 80: {}"]'
        page.locator(cell.format("cant-access", "works")).wait_for()
        assert page.locator("#step h2").inner_text() == "Step 1: everybody may"
        terminal.press_enter()
        page.locator(cell.format("access", "no answer")).wait_for()
        terminal.read_until("Press Enter for step 3")
        terminal.press_enter()
        page.locator(cell.format("access", "works")).wait_for()
        page.locator(cell.format("cant-access", "no answer")).click()
        page.locator("#why.denied .reason").wait_for()
        assert "no rule of access-nginx or default-deny allows it" in page.locator("#why").inner_text()
        page.locator("#step h2", has_text="Step 3: those labelled run=access").wait_for()
        terminal.read_until("Press Enter to end")
        terminal.press_enter()
        page.locator("#connection.lost").wait_for()
    eventually(lambda: name not in client.names(), "the demo has taken its lab down")


def test_a_page_left_open_becomes_that_of_the_lab_that_answers_there_next(watched: Watched, name: str, launch) -> None:
    browser = watched.page.context.browser
    assert browser is not None
    page = browser.new_page()
    page.set_default_timeout(PATIENCE_MS)
    with at_a_terminal("demo", "simple", "--name", name, "--listen", "127.0.0.1:0") as terminal:
        address = address_of(terminal)
        page.goto(address)
        page.locator("#step h2", has_text="Step 1").wait_for()
    page.locator("#connection.lost").wait_for()
    eventually(lambda: name not in client.names(), "the demo's lab is gone")
    launch(name, hosts=1)
    place = address.removeprefix("http://").rstrip("/")
    with at_a_terminal("lab", "ui", "--name", name, "--listen", place) as terminal:
        address_of(terminal)
        page.locator("#connection.live").wait_for()
        page.locator("#policies-title").wait_for()
        page.locator("#step").wait_for(state="hidden")
        page.locator("#steps li").first.wait_for(state="detached")
        page.close()
