"""What followers of the page's values get: the newest state at once, then changes, each once."""

from __future__ import annotations

from tortie.lab.ui_feed import Feed


def test_who_comes_late_gets_the_newest_state_of_everything() -> None:
    feed, heard = Feed(), list[bytes]()
    feed.publish("responses", {"F": None})
    feed.publish("policies", [])
    feed.publish("responses", {"F": 1})
    feed.stream().open(heard.append)
    assert heard == [b'event: responses\ndata: {"F": 1}\n\n', b"event: policies\ndata: []\n\n"]


def test_only_a_change_is_sent() -> None:
    feed, heard = Feed(), list[bytes]()
    feed.stream().open(heard.append)
    for value in (1, 1, 2, 2):
        feed.publish("responses", value)
    assert heard == [b"event: responses\ndata: 1\n\n", b"event: responses\ndata: 2\n\n"]


def test_who_has_left_gets_nothing_more() -> None:
    feed, gone, still = Feed(), list[bytes](), list[bytes]()
    leave = feed.stream().open(gone.append)
    feed.stream().open(still.append)
    leave()
    feed.publish("responses", 1)
    assert (gone, len(still)) == ([], 1)


def test_no_text_breaks_out_of_its_line() -> None:
    feed, heard = Feed(), list[bytes]()
    feed.stream().open(heard.append)
    feed.publish("policies", "spec:\n\nevent: responses\r\n")
    assert heard[0].count(b"\n") == 3
    assert b"\r" not in heard[0]


def test_what_is_forgotten_is_not_told_to_who_comes_late() -> None:
    feed, heard = Feed(), list[bytes]()
    feed.publish("responses", 1)
    feed.forget("responses")
    feed.stream().open(heard.append)
    assert heard == []
    feed.publish("responses", 1)
    assert heard == [b"event: responses\ndata: 1\n\n"]


def test_it_is_known_whether_anybody_follows() -> None:
    feed = Feed()
    assert not feed.followed.is_set()
    first, second = (feed.stream().open(list[bytes]().append) for _ in range(2))
    first()
    assert feed.followed.is_set()
    second()
    assert not feed.followed.is_set()
