"""A listening socket goes from one process's hands to another's, and is answered there."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from tortie.lab import handover, http, ui
from tortie.lab.errors import LabError


def test_a_program_answers_at_a_socket_that_is_handed_in(tmp_path: Path) -> None:
    door = tmp_path / "listeners.sock"

    async def run() -> bytes:
        taken: asyncio.Queue[socket.socket] = asyncio.Queue()
        ours = ui.listen("127.0.0.1:0")
        address = ui.url(ours)
        with handover.taking_listeners(door, taken.put_nowait), ours:
            await asyncio.to_thread(handover.hand_over, ours.fileno(), door)
            server = await http.serve_on(lambda request: http.Response(200, request.path.encode()), await taken.get())
        async with server:
            return (await http.get(f"{address}there", socket.AF_INET)).body

    assert asyncio.run(run()) == b"/there"


def test_a_program_that_takes_none_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handover, "PATIENCE_S", 0.0)
    with pytest.raises(TimeoutError, match="no program takes listening sockets at"):
        handover.hand_over(0, tmp_path / "missing")


# --- where to listen -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wanted", ["", "0", "127.0.0.1:0", "[::1]:0", "0.0.0.0:0", "[::]:0"])
def test_the_address_that_is_printed_leads_to_the_socket(wanted: str) -> None:
    if ":" in wanted and "[" in wanted and not socket.has_dualstack_ipv6():
        pytest.skip("needs IPv6")
    with ui.listen(wanted) as listener:
        host, _, port = ui.url(listener).removeprefix("http://").rstrip("/").rpartition(":")
        socket.create_connection((host.strip("[]"), int(port)), timeout=5).close()


def test_another_port_is_taken_where_the_usual_one_is_in_use() -> None:
    with ui.listen() as first, ui.listen() as second:
        assert first.getsockname() != second.getsockname()


def test_an_address_that_was_asked_for_and_is_in_use_is_an_error() -> None:
    with ui.listen("127.0.0.1:0") as first:
        port = first.getsockname()[1]
        with pytest.raises(LabError, match=f"cannot listen at {port}: Address already in use$"):
            ui.listen(str(port))


@pytest.mark.parametrize("wanted", ["x", "127.0.0.1", ":80", "127.0.0.1:", "127.0.0.1:65536", "::1:80", "127.0.0.1:-1"])
def test_what_is_no_address_is_refused(wanted: str) -> None:
    with pytest.raises(LabError, match="is not an address to listen at"):
        ui.listen(wanted)
