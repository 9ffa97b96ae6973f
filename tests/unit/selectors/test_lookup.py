"""Looking up what a selector matches gives what trying it on every item gives."""

from hypothesis import given
from hypothesis import strategies as st

from tortie.selectors import parse
from tortie.selectors.lookup import Lookup
from tortie.testing.strategies import label_maps, selectors


def sorted_items(items):
    return sorted(sorted(labels.items()) for labels in items)


@given(st.lists(label_maps(), max_size=8), selectors())
def test_it_finds_what_a_linear_search_finds(items, selector):
    found = Lookup(items).matching(selector)
    assert sorted_items(found) == sorted_items(labels for labels in items if selector.matches(labels))


def test_items_with_the_same_labels_are_each_found():
    assert len(list(Lookup([{"a": "1"}, {"a": "1"}, {"a": "2"}]).matching(parse("a in {'1', '2'}")))) == 3
