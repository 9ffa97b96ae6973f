"""What the documentation refers to is there: pages, headings, paths, names in the code, commands."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click_parsing import parse_only
from pages import PAGES, ROOT, code_spans, prose

from tortie.cli.main import cli

DESIGN_PAGES = [page for page in PAGES if page == Path("DESIGN.md") or page.parts[:2] == ("docs", "design")]
SOURCE = ROOT / "src" / "tortie"

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_PATH = re.compile(r"[\w.-]+(/[\w.-]+)*(/|\.py|\.toml|\.md)")
_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


# --- links and paths ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    links = [link for link in _LINK.findall(prose(page)) if not re.match(r"[a-z]+:", link)]
    assert [link for link in links if not _resolves(page, link)] == []


def _resolves(page: Path, link: str) -> bool:
    path, _, anchor = link.partition("#")
    target = (ROOT / page).parent / path if path else ROOT / page
    return target.exists() and (not anchor or anchor in _anchors(target))


def _anchors(page: Path) -> set[str]:
    """The names that GitHub gives headings."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", DESIGN_PAGES, ids=str)
def test_every_path_named_in_a_design_page_exists(page: Path) -> None:
    paths = [span for span in code_spans(page) if _PATH.fullmatch(span)]
    assert [path for path in paths if not (ROOT / path).exists() and not (SOURCE / path).exists()] == []


@pytest.mark.parametrize("page", DESIGN_PAGES, ids=str)
def test_every_name_in_a_design_page_occurs_in_the_code(page: Path) -> None:
    known = set(re.findall(r"\w+", "\n".join(path.read_text() for path in SOURCE.rglob("*.py"))))
    known |= {path.stem for path in (*SOURCE.rglob("*"), *ROOT.iterdir())}
    names = {part for span in code_spans(page) if _NAME.fullmatch(span) for part in span.split(".")}
    assert names - known - {"md", "py", "toml"} == set()


def test_design_links_a_page_for_every_package() -> None:
    rows = re.findall(
        r"^\| \d \| `(\w+)/` \|.*\[\w+\]\((docs/design/\w+\.md)\)", (ROOT / "DESIGN.md").read_text(), re.MULTILINE
    )
    packages = {path.parent.name for path in SOURCE.glob("*/__init__.py")}
    assert {package for package, _ in rows} == packages
    assert {Path(page) for _, page in rows} == {page for page in DESIGN_PAGES if page.parent == Path("docs/design")}


# --- commands -----------------------------------------------------------------------------------------------------------------


def _all_commands(
    command: click.Command, words: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield words, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            assert child is not None
            yield from _all_commands(child, (*words, name))


COMMANDS = dict(_all_commands(cli))

EXAMPLES = [
    example
    for command in COMMANDS.values()
    # after the command its explanation may stand, some blanks to the right, or what it is piped into
    for example in re.findall(
        r"^ *(?:[a-z]+ .*\| )?(tortie .*?)(?:  .*| \| .*)?$", command.help or "", flags=re.MULTILINE
    )
]


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_of_a_help_text_parses(example: str) -> None:
    parse_only(shlex.split(example)[1:])


def test_help_texts_have_examples() -> None:
    assert len(EXAMPLES) > 10


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_command_that_the_prose_names_exists(page: Path) -> None:
    spans = [span for span in code_spans(page) if span.startswith("tortie ")]
    assert [span for span in spans if not _is_known(span)] == []


def _is_known(span: str) -> bool:
    """Whether a command begins as *span* does; options, arguments and ``…`` are not looked at."""
    words = tuple(span.split()[1:])
    if words[0].startswith("-"):
        return True
    longest = max((known for known in COMMANDS if words[: len(known)] == known), key=len)
    following = words[len(longest) : len(longest) + 1]
    # a word after a group would have to be one of its commands
    return bool(longest) and not (isinstance(COMMANDS[longest], click.Group) and following and following[0].isalpha())
