"""Opens a demo's page to the user: a listening socket of the user's own, answered by the workload that serves the page.

The command binds the socket and hands it in; nothing relays, so the page is there for as long as the workload is, also after
the command has ended.
"""

from __future__ import annotations

import socket
import subprocess
import sys

from tortie.lab import http
from tortie.lab.client import Lab
from tortie.lab.errors import LabError

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
        raise LabError(f"cannot listen at {wanted}: {error.strerror or error}") from error


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


def hand_in(lab: Lab, workload: str, listener: socket.socket) -> None:
    """Let *workload*, which serves the page, answer at *listener*, and close it here. LabError."""
    with listener:
        descriptor = listener.fileno()
        command = lab.exec_command(workload, [sys.executable, "-m", "tortie.lab.handover", str(descriptor)])
        done = subprocess.run(command, pass_fds=[descriptor], capture_output=True, text=True, cwd="/", check=False)
    if done.returncode:
        raise LabError(f"the page of {workload} cannot be opened: {done.stderr.strip().removeprefix('Error: ')}")
