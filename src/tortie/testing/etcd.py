"""Real etcd servers for tests and benchmarks: started on loopback, killed, started again on what they had kept.

    with etcd_cluster(folder) as cluster:           # one server, in clear text
        cluster.client()                            # an EtcdStore
        cluster.ctl("get", "--prefix", "/")         # etcdctl, as somebody else who uses it
        cluster.servers[0].kill()

They end with the process that started them, however it ends.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from tortie.datastore.connection import TLS
from tortie.datastore.etcd import EtcdStore

_READY_S = 30.0
_READY = b"ready to serve client requests"
"""etcd's log says so for 3.4 and later; with several servers, once they have a leader."""

_PORTS = (20_000, 32_000)
"""Below the range that outgoing connections are given ports from, so that a server finds its ports again."""

_PATIENT = ("--heartbeat-interval", "50", "--election-timeout", "500")
_HASTY = ("--heartbeat-interval", "10", "--election-timeout", "100")
"""One server elects itself, and the sooner the better."""


class Certificates(NamedTuple):
    """An authority's, a server's for 127.0.0.1, and a client's, as files; made by ``make_certificates``."""

    folder: Path

    def tls(self, *, is_inline: bool = False) -> TLS:
        """The client's side."""
        files = [self.folder / name for name in ("ca.pem", "client.pem", "client.key")]
        return TLS(*(file.read_text() for file in files)) if is_inline else TLS(*files)

    def server_flags(self) -> tuple[str, ...]:
        """Clients and fellow servers must show a certificate of the authority's."""
        ca, certificate, key = (str(self.folder / name) for name in ("ca.pem", "server.pem", "server.key"))
        return (
            *("--client-cert-auth", "--trusted-ca-file", ca, "--cert-file", certificate, "--key-file", key),
            *("--peer-client-cert-auth", "--peer-trusted-ca-file", ca, "--peer-cert-file", certificate, "--peer-key-file", key),
        )  # fmt: skip

    def client_flags(self) -> tuple[str, ...]:
        """For etcdctl."""
        ca, certificate, key = (str(self.folder / name) for name in ("ca.pem", "client.pem", "client.key"))
        return ("--cacert", ca, "--cert", certificate, "--key", key)


def make_certificates(folder: Path) -> Certificates:
    """New certificates in *folder*, by openssl."""
    folder.mkdir(parents=True, exist_ok=True)

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=test authority", "-days", "2")
    for name, extensions in (
        ("server", "subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n"),
        ("client", "extendedKeyUsage=clientAuth\n"),
    ):
        (folder / f"{name}.ext").write_text(extensions)
        openssl("req", *key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                "-extfile", f"{name}.ext", "-days", "2", "-out", f"{name}.pem")  # fmt: skip
    return Certificates(folder)


class EtcdServer:
    """One server of a cluster."""

    def __init__(self, name: str, folder: Path, port: int, command: Sequence[str]) -> None:
        self.endpoint = f"127.0.0.1:{port}"
        self.name = name
        self.data = folder / name
        self.log = folder / f"{name}.log"
        self._command = ("setpriv", "--pdeathsig", "KILL", "--", "etcd", *command, "--data-dir", str(self.data))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None, f"{self.name} does not run"
        return self._process.pid

    def launch(self) -> None:
        """Start it, from what it had kept if it ran before."""
        assert self._process is None, f"{self.name} runs already"
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def wait(self) -> None:
        """Until it serves."""
        deadline = time.monotonic() + _READY_S
        while _READY not in self.log.read_bytes():
            if self._process is None or self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.name} does not serve:\n{self.log.read_text()[-3000:]}")
            time.sleep(0.01)

    def start(self) -> None:
        """Start it and wait until it serves."""
        self.launch()
        self.wait()

    def kill(self) -> None:
        """As a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def forget(self) -> None:
        """Lose all that it had kept."""
        shutil.rmtree(self.data)


class EtcdCluster:
    """Servers that keep one datastore."""

    def __init__(self, servers: Sequence[EtcdServer], certificates: Certificates | None) -> None:
        self.servers = tuple(servers)
        self.certificates = certificates

    @property
    def endpoints(self) -> tuple[str, ...]:
        return tuple(server.endpoint for server in self.servers)

    @property
    def url(self) -> str:
        return f"{'etcds' if self.certificates else 'etcd'}://{','.join(self.endpoints)}"

    def client(self, username: str = "", password: str = "", endpoints: Sequence[str] = ()) -> EtcdStore:
        """A store of its own on the cluster, or on what stands before it at *endpoints*."""
        tls = self.certificates.tls() if self.certificates else None
        return EtcdStore.open(endpoints or self.endpoints, tls=tls, username=username, password=password)

    def ctl(self, *arguments: str) -> str:
        """What etcdctl prints."""
        return subprocess.run(self.ctl_command(*arguments), check=True, capture_output=True, text=True).stdout

    def ctl_command(self, *arguments: str) -> list[str]:
        """The command line of etcdctl for this cluster."""
        flags = self.certificates.client_flags() if self.certificates else ()
        return ["env", "ETCDCTL_API=3", "etcdctl", "--endpoints", ",".join(self.endpoints), *flags, *arguments]

    def environment(self) -> dict[str, str]:
        """That of a script whose etcdctl is for this cluster."""
        given = {"ETCDCTL_API": "3", "ETCDCTL_ENDPOINTS": ",".join(self.endpoints)}
        if self.certificates:
            files = {"CACERT": "ca.pem", "CERT": "client.pem", "KEY": "client.key"}
            given |= {f"ETCDCTL_{name}": str(self.certificates.folder / file) for name, file in files.items()}
        return {**os.environ, **given}

    def use_passwords(self) -> None:
        """Turn authentication on: user ``root`` with the password ``root``, who may do everything."""
        self.ctl("user", "add", "root:root")
        self.ctl("user", "grant-role", "root", "root")
        self.ctl("auth", "enable")


@contextlib.contextmanager
def etcd_cluster(
    folder: Path, *, size: int = 1, is_tls: bool = False, options: Sequence[str] = ()
) -> Iterator[EtcdCluster]:
    """*size* servers that keep their data in *folder*, with more *options* of etcd; they serve, and end with the block."""
    certificates = make_certificates(folder / "tls") if is_tls else None
    servers = _servers(folder, size, certificates, options)
    try:
        for server in servers:
            server.launch()
        for server in servers:
            server.wait()
        yield EtcdCluster(servers, certificates)
    finally:
        for server in servers:
            server.kill()


def _servers(
    folder: Path, size: int, certificates: Certificates | None, options: Sequence[str]
) -> tuple[EtcdServer, ...]:
    scheme = "https" if certificates else "http"
    ports = free_ports(2 * size)
    names = [f"etcd{number}" for number in range(size)]
    peers = [f"{scheme}://127.0.0.1:{port}" for port in ports[size:]]
    common = (
        *("--initial-cluster", ",".join(f"{name}={peer}" for name, peer in zip(names, peers, strict=True))),
        *(_HASTY if size == 1 else _PATIENT),
        *("--experimental-watch-progress-notify-interval", "100ms"),
        *(certificates.server_flags() if certificates else ()),
        *options,
    )
    return tuple(
        EtcdServer(
            name, folder, port,
            ("--name", name,
             "--listen-client-urls", f"{scheme}://127.0.0.1:{port}", "--advertise-client-urls", f"{scheme}://127.0.0.1:{port}",
             "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, *common),
        )
        for name, port, peer in zip(names, ports[:size], peers, strict=True)
    )  # fmt: skip


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody listens on now."""
    found: set[int] = set()
    while len(found) < count:
        port = random.randrange(*_PORTS)
        with socket.socket() as tried, contextlib.suppress(OSError):
            tried.bind(("127.0.0.1", port))
            found.add(port)
    return sorted(found, key=lambda _: random.random())
