"""Opens a page to the user: a listening socket of the user's own, answered by a program inside the lab.

The command binds the socket and nothing relays. A demo's page comes from the workload that it is handed in to, and is there for as long
as that is, also after the command has ended; the page of any lab comes from a program that the command runs in the fabric.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
from collections.abc import Iterator

from tortie.lab import http
from tortie.lab.client import Lab
from tortie.lab.errors import LabError
from tortie.lab.layout import FABRIC

LOOPBACK = "127.0.0.1"

PORT = 30002
"""The usual one of this page (a NodePort). Another is taken where it is in use and none was asked for."""


def listen(wanted: str = "") -> socket.socket:
    """A listening socket at *wanted*, ``ADDRESS:PORT`` or ``PORT``; by default on loopback. LabError.

    An IPv6 address stands in brackets. Port 0 is any that is free.
    """
    if not wanted:
        try:
            return http.listen(LOOPBACK, PORT)
        except OSError:
            return http.listen(LOOPBACK, 0)
    address, port = _parse(wanted)
    try:
        return http.listen(address, port)
    except OSError as error:
        reason, _, _ = (error.strerror or str(error)).partition(" (while attempting")  # Python names the address again
        raise LabError(f"cannot listen at {wanted}: {reason}") from error


def _parse(text: str) -> tuple[str, int]:
    """Address and port; LabError."""
    address, colon, port = text.rpartition(":")
    if address.startswith("[") and address.endswith("]"):
        address = address[1:-1]
    elif ":" in address:
        port = ""  # an IPv6 address without brackets: where it ends cannot be told
    if (colon and not address) or not (port.isascii() and port.isdigit() and int(port) < 1 << 16):
        raise LabError(f"{text!r} is not an address to listen at, such as 127.0.0.1:8080, [::1]:8080 or 8080")
    return address or LOOPBACK, int(port)


def url(listener: socket.socket) -> str:
    """How a browser on this machine reaches *listener*."""
    address, port = listener.getsockname()[:2]
    host = {"0.0.0.0": LOOPBACK, "::": "localhost"}.get(address, f"[{address}]" if ":" in address else address)
    return f"http://{host}:{port}/"


@contextlib.contextmanager
def lab_page(lab: Lab, listener: socket.socket) -> Iterator[None]:
    """Serve the lab's own page at *listener* during the block, and close it here."""
    with listener:
        command = lab.exec_command(FABRIC, lab_page_program(listener))
        serving = subprocess.Popen(command, pass_fds=[listener.fileno()], stdin=subprocess.DEVNULL, cwd="/")
    try:
        yield
    finally:
        serving.terminate()
        serving.wait()


def lab_page_program(listener: socket.socket) -> list[str]:
    """What serves the lab's own page at *listener*, which it inherits, when it is run in the fabric."""
    return [sys.executable, "-m", "tortie.lab.ui_lab", str(listener.fileno())]


def hand_in(lab: Lab, workload: str, listener: socket.socket) -> None:
    """Let *workload*, which serves the page, answer at *listener*, and close it here. LabError."""
    with listener:
        descriptor = listener.fileno()
        command = lab.exec_command(workload, [sys.executable, "-m", "tortie.lab.handover", str(descriptor)])
        done = subprocess.run(command, pass_fds=[descriptor], capture_output=True, text=True, cwd="/", check=False)
    if done.returncode:
        raise LabError(f"the page of {workload} cannot be opened: {done.stderr.strip().removeprefix('Error: ')}")
