"""``tortie selector``: selectors apart from any resource, for people and for editors."""

from __future__ import annotations

import click
import msgspec

from tortie.cli.errors import CommandError
from tortie.cli.jsonl import Answer, UnanswerableError, answer_lines
from tortie.cli.options import labels_of
from tortie.selectors import Selector, SelectorError, parse
from tortie.selectors.impossible import why_impossible


@click.group()
def selector() -> None:
    """Try out a selector."""


@selector.command("eval")
@click.argument("text", metavar="[SELECTOR", required=False)
@click.argument("labels", nargs=-1, metavar="NAME=VALUE...]")
@click.option(
    "--jsonl",
    is_flag=True,
    help="Answer questions from standard input, one a line in JSON, each with a line.",
)
def evaluate(text: str | None, labels: tuple[str, ...], jsonl: bool) -> None:
    """Say whether SELECTOR matches something with these labels; without labels, what it is.

    What it is: its canonical text, which decides the name of its IP set, and its id, of which that name is made. Where the
    selector cannot be read, a caret stands below the place.

    With --jsonl, each line of standard input is {"selector", "labels"}, answered by {"match"}, or {"selector"} alone, answered by
    {"valid", "canonical", "id", "error"}; a line that cannot be answered gets {"error"}.

    \b
    Examples:
      tortie selector eval "role == 'web' && !has(canary)" role=web
      tortie selector eval "role in {'web', 'api'}"
      tortie selector eval --jsonl
    """
    if jsonl:
        if text is not None:
            raise click.UsageError("--jsonl reads standard input and no arguments")
        answer_lines(_answer)
        return
    if text is None:
        raise click.UsageError("which selector? Give one, or --jsonl")
    parsed = _parsed(text)
    if labels:
        click.echo("matches" if parsed.matches(labels_of(labels)) else "does not match")
        return
    click.echo(f"canonical  {parsed.text}\nid         {parsed.id}")
    if why := why_impossible(parsed.node):
        click.echo(f"Warning: it never matches anything: {why}", err=True)


def _parsed(text: str) -> Selector:
    try:
        return parse(text)
    except SelectorError as error:
        raise CommandError(f"{error.reason}\n{error.caret()}") from error


# --- JSON lines ------------------------------------------------------------------------------------------------------------


class _Question(msgspec.Struct):
    selector: str
    labels: dict[str, str] | msgspec.UnsetType | None = msgspec.UNSET


def _answer(line: bytes) -> Answer:
    try:
        question = msgspec.json.decode(line, type=_Question)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnanswerableError(f'expected {{"selector": text, "labels": {{name: text}}}}: {error}') from error
    if question.labels is msgspec.UNSET:
        return _description(question.selector)
    try:
        return {"match": parse(question.selector).matches(question.labels or {})}
    except SelectorError as error:
        raise UnanswerableError(str(error)) from error


def _description(text: str) -> Answer:
    try:
        parsed = parse(text)
    except SelectorError as error:
        return {"valid": False, "canonical": None, "id": None, "error": str(error)}
    return {"valid": True, "canonical": parsed.text, "id": parsed.id, "error": None}
