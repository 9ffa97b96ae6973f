"""The fast index and its linear twin: they report the same changes over any history."""

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tortie.selectors import LabelIndex, LinearIndex, MatchStarted, MatchStopped, parse
from tortie.testing.strategies import label_maps, selectors

ids = st.sampled_from(["1", "2", "3", "4"])


class TwoIndexes(RuleBasedStateMachine):
    """Every operation is done on both indexes."""

    def __init__(self):
        super().__init__()
        self.fast, self.slow = LabelIndex(), LinearIndex()
        self.matches = set()

    def do(self, operation, *arguments):
        changes = getattr(self.fast, operation)(*arguments)
        assert changes == getattr(self.slow, operation)(*arguments)
        for change in changes:
            pair = change.selector_id, change.item_id
            (self.matches.add if isinstance(change, MatchStarted) else self.matches.remove)(pair)

    @rule(selector_id=ids, selector=selectors())
    def add_selector(self, selector_id, selector):
        self.do("add_selector", selector_id, selector)

    @rule(selector_id=ids)
    def remove_selector(self, selector_id):
        self.do("remove_selector", selector_id)

    @rule(item_id=ids, labels=label_maps())
    def set_item(self, item_id, labels):
        self.do("set_item", item_id, labels)

    @rule(item_id=ids)
    def remove_item(self, item_id):
        self.do("remove_item", item_id)

    @invariant()
    def reported_changes_add_up_to_the_matches(self):
        assert self.matches == self.slow._matches()


TestTwoIndexes = TwoIndexes.TestCase


@given(st.lists(st.tuples(ids, selectors())), st.lists(st.tuples(ids, label_maps())))
def test_removing_everything_leaves_nothing_behind(filed, items):
    index = LabelIndex()
    for selector_id, selector in filed:
        index.add_selector(selector_id, selector)
    for item_id, labels in items:
        index.set_item(item_id, labels)
    for known in ("1", "2", "3", "4"):
        index.remove_selector(known)
        index.remove_item(known)
    assert not any((index._items, index._selectors_of, index._items_of))
    assert not any(vars(index._files).values())
    assert not any(index._postings._by_label.values())


def test_changes_are_reported_once_and_in_order():
    index = LabelIndex()
    for item in ("b", "a"):
        index.set_item(item, {"role": "db"})
    expected = (MatchStarted("s", "a"), MatchStarted("s", "b"))
    assert index.add_selector("s", parse("role == 'db'")) == expected
    assert index.add_selector("s", parse("role == 'db'")) == ()
    assert index.set_item("a", {"role": "db", "more": "x"}) == ()
    assert index.set_item("a", {"role": "web"}) == (MatchStopped("s", "a"),)
    assert index.add_selector("s", parse("role == 'web'")) == (MatchStarted("s", "a"), MatchStopped("s", "b"))


def test_a_start_is_not_equal_to_a_stop():
    assert MatchStarted("s", "a") != MatchStopped("s", "a")


class CountingSelector:
    """A selector that counts how often it is asked."""

    def __init__(self, text):
        selector = parse(text)
        self.asked = 0
        self.node = selector.node
        self.matches = lambda labels: self._count() and selector.matches(labels)

    def _count(self):
        self.asked += 1
        return True


def test_an_item_is_tried_only_on_selectors_that_might_match():
    index = LabelIndex()
    wanted = [CountingSelector(f"kind == 'pod' && app == 'app-{n}'") for n in range(100)]
    for number, selector in enumerate(wanted):
        index.add_selector(str(number), selector)
    index.set_item("item", {"kind": "pod", "app": "app-7"})
    # Selectors that share a common label are filed under the label that tells them apart (but for the first few).
    assert sum(selector.asked for selector in wanted) < 10


def test_alternatives_over_several_labels_are_found_by_any_of_them():
    index = LabelIndex()
    wanted = [CountingSelector(f"app == 'app-{n}' || (has(old) && name == 'app-{n}')") for n in range(100)]
    for number, selector in enumerate(wanted):
        index.add_selector(str(number), selector)
    assert index.set_item("new", {"app": "app-7"}) == (MatchStarted("7", "new"),)
    assert index.set_item("old", {"old": "", "name": "app-8"}) == (MatchStarted("8", "old"),)
    assert sum(selector.asked for selector in wanted) == 2


def test_a_selector_is_tried_only_on_items_that_might_match():
    index = LabelIndex()
    for number in range(1000):
        index.set_item(f"{number:04}", {"kind": "pod", "app": f"app-{number % 100}"})
    selector = CountingSelector("kind == 'pod' && app in {'app-7', 'app-8'}")
    assert len(index.add_selector("s", selector)) == 20
    assert selector.asked == 20
