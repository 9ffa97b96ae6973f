"""JSONPath templates: what each construct finds, and what is no template."""

from __future__ import annotations

import pytest

from tortie.cli.gotemplate import as_jsonpath
from tortie.cli.jsonpath import JSONPathError, parse_path, parse_template

ITEMS = {
    "items": [
        {"metadata": {"name": "a", "labels": {"example.com/r": "x", "b": "y"}}, "spec": {"order": 5, "nets": ["1", "2"], "on": True}},
        {"metadata": {"name": "b"}, "spec": {"order": 500, "nets": []}},
        {"metadata": {"name": "c"}, "spec": {"order": "later"}},
    ]
}  # fmt: skip


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{.items[*].metadata.name}", "a b c"),
        ("{$.items[*].metadata.name}", "a b c"),
        ("{.items[0].metadata.name}-{.items[-1].metadata.name}", "a-c"),
        ("{.items[0:2].metadata.name}", "a b"),
        ("{.items[::2].metadata.name}", "a c"),
        ("{.items[0,2].metadata.name}", "a c"),
        (r"{.items[0].metadata.labels.example\.com/r}", "x"),
        ("{.items[0].metadata.labels['example.com/r']}", "x"),
        ("{.items[0].metadata.labels['b','example.com/r']}", "y x"),
        ("{.items[0].metadata.labels.*}", "x y"),
        ("{..name}", "a b c"),
        ("{.items[?(@.spec.order>=500)].metadata.name}", "b"),
        ("{.items[?(@.spec.order=='later')].metadata.name}", "c"),
        ("{.items[?(@.spec.on==true)].metadata.name}", "a"),
        ("{.items[?(@.spec.nets)].metadata.name}", "a b"),
        (
            '{range .items[*]}{.metadata.name}{"\\t"}{range .spec.nets[*]}<{@}>{end}{"\\n"}{end}.',
            "a\t<1><2>\nb\t\nc\t\n.",
        ),
        ("{.items[0].spec}", '{"order":5,"nets":["1","2"],"on":true}'),
        ("{.items[0].spec.order}{.items[0].spec.on}", "5true"),
        ("[{.items[9].metadata.name}{.nothing[*].here}]", "[]"),
        ("no path", "no path"),
    ],
)
def test_a_template_prints_what_its_paths_find(template: str, text: str) -> None:
    assert parse_template(template).render(ITEMS) == text


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{.a", "the brace before '.a' is not closed"),
        ("{end}", "{end} without a {range …} before it"),
        ("{range .a}x", "{range .a} has no {end}"),
        ("{.a[x]}", "[x] is no part of a path"),
        ("{a b}", "'a b' in 'a b' is no part of a path"),
        ("{.a[?(b==1)]}", "[?(b==1)] is no filter"),
        ("{.a[?(@.b==c)]}", "'c' is no value to compare with"),
    ],
)
def test_what_is_no_template_is_told(template: str, message: str) -> None:
    with pytest.raises(JSONPathError) as caught:
        parse_template(template)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("text", [".metadata.name", "{.metadata.name}", "metadata.name"])
def test_a_columns_path_may_do_without_braces_and_dot(text: str) -> None:
    assert parse_path(text).find(ITEMS["items"][0], None) == ["a"]


@pytest.mark.parametrize(
    ("go", "jsonpath"),
    [
        ('{{range .items}}{{.metadata.name}}{{"\\n"}}{{end}}', '{range .items[*]}{.metadata.name}{"\\n"}{end}'),
        ("{{ .spec.order }}", "{.spec.order}"),
        ('{{index .metadata.labels "example.com/r"}}', "{.metadata.labels['example.com/r']}"),
        ("{{index .items 0}}", "{.items[0]}"),
        ("{{if .spec}}x{{end}}", None),
        ("{{printf \"%s\" .a}}", None),
    ],
)  # fmt: skip
def test_a_go_template_is_translated_where_its_meaning_is_sure(go: str, jsonpath: str | None) -> None:
    assert as_jsonpath(go) == jsonpath


def test_a_translated_go_template_prints_what_the_template_would() -> None:
    translated = as_jsonpath('{{range .items}}{{.metadata.name}} {{.spec.order}}{{"\\n"}}{{end}}')
    assert translated is not None
    assert parse_template(translated).render(ITEMS) == "a 5\nb 500\nc later\n"
