"""Which datastore a command uses: options, environments and files, in their order, and what is wrong with them."""

from __future__ import annotations

import os
from pathlib import Path

import click
import pytest

from tortie.cli import settings as cli_settings
from tortie.cli.errors import CommandError
from tortie.cli.place import LabConnection
from tortie.cli.settings import SYSTEM_STORE, Settings, default_store
from tortie.datastore.connection import TLS, EtcdAccess, EtcdConnection, SQLiteConnection

CALICO_FILE = """\
apiVersion: projectcalico.org/v3
kind: CalicoAPIConfig
metadata:
spec:
  datastoreType: etcdv3
  etcdEndpoints: https://calico-file:2379
"""


@pytest.fixture(autouse=True)
def system_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the machine's settings file is in these tests; not there at first."""
    path = tmp_path / "system.yaml"
    monkeypatch.setattr(cli_settings, "SYSTEM_SETTINGS", path)
    return path


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def etcd(host: str, *, tls: bool = False) -> EtcdConnection:
    return EtcdConnection((f"{host}:2379",), is_tls=tls)


def sqlite(path: str) -> SQLiteConnection:
    return SQLiteConnection(Path(path))


# --- the order -------------------------------------------------------------------------------------------------------------

EVERYTHING = {
    "TORTIE_DATASTORE": "etcd://tortie-url",
    "TORTIE_LAB": "tortie-lab",
    "ETCD_ENDPOINTS": "http://calico-env:2379",
}


@pytest.mark.parametrize(
    ("options", "taken_away", "expected"),
    [
        (Settings("etcd://option"), (), etcd("option")),
        (Settings(lab="option"), (), LabConnection("option")),
        (Settings(), (), etcd("tortie-url")),
        (Settings(), ("TORTIE_DATASTORE",), LabConnection("tortie-lab")),
        (Settings(), ("TORTIE_DATASTORE", "TORTIE_LAB"), etcd("c-file")),
        (Settings(), ("TORTIE_DATASTORE", "TORTIE_LAB", "-c"), etcd("calico-env")),
        (Settings(), ("TORTIE_DATASTORE", "TORTIE_LAB", "-c", "ETCD_ENDPOINTS"), etcd("system-file")),
        (Settings(), ("TORTIE_DATASTORE", "TORTIE_LAB", "-c", "ETCD_ENDPOINTS", "system"), sqlite("/state/tortie/tortie.db")),
    ],
    ids=["--datastore", "--lab", "TORTIE_DATASTORE", "TORTIE_LAB", "-c", "Calico's environment", "system file", "default"],
)  # fmt: skip
def test_the_first_that_names_a_datastore_wins(
    options: Settings, taken_away: tuple[str, ...], expected: object, tmp_path: Path, system_settings: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    environment = {name: value for name, value in EVERYTHING.items() if name not in taken_away}
    config = None if "-c" in taken_away else write(tmp_path / "c.yaml", "datastore: etcd://c-file\n")
    if "system" not in taken_away:
        write(system_settings, "datastore: etcd://system-file\n")
    settings = options._replace(config=config)
    assert settings.connection({"XDG_STATE_HOME": "/state", **environment}) == expected


def test_what_follows_the_command_comes_before_what_precedes_it() -> None:
    assert Settings(lab="l").over("sqlite:///d", None).connection({}) == sqlite("/d")
    assert Settings(lab="l").over(None, None).connection({}) == LabConnection("l")
    with pytest.raises(click.UsageError, match="exclude each other"):
        Settings("sqlite:///a", "l").connection({})


def test_a_file_that_names_no_datastore_leaves_it_to_the_next(tmp_path: Path, system_settings: Path) -> None:
    write(system_settings, "datastore: sqlite:///system\n")
    empty = write(tmp_path / "c.yaml", "# nothing\n")
    assert Settings(config=empty).connection({}) == sqlite("/system")


def test_everybody_has_a_datastore(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert default_store({}) == SYSTEM_STORE
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_store({}) == tmp_path / ".local/state/tortie/tortie.db"
    assert default_store({"XDG_STATE_HOME": "relative"}) == tmp_path / ".local/state/tortie/tortie.db"
    connection = Settings().connection({"XDG_STATE_HOME": "/a b%"})
    assert connection == sqlite("/a b%/tortie/tortie.db")
    assert connection.url == "sqlite:///a%20b%25/tortie/tortie.db"


def test_a_user_without_a_home_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000_000)
    monkeypatch.delenv("HOME")
    with pytest.raises(CommandError, match="set HOME, or name one with --datastore"):
        default_store({})


# --- etcd: where, and who we are -----------------------------------------------------------------------------------------------


def test_an_etcd_url_gets_its_certificates_from_the_first_source_that_has_some(
    tmp_path: Path, system_settings: Path
) -> None:
    write(system_settings, "etcd: {username: system, password: s}\n")
    files = write(tmp_path / "c.yaml", "etcd: {caFile: ca.pem, certFile: /abs/c.pem, keyFile: /abs/k.pem}\n")
    url = Settings("etcds://a:1,[::1]:2")
    of_file, of_calico, of_system = (
        url._replace(config=files).connection({}),
        url.connection({"ETCD_USERNAME": "calico", "ETCD_PASSWORD": "p"}),
        url.connection({}),
    )
    assert of_file == EtcdConnection(
        ("a:1", "[::1]:2"), True, EtcdAccess(TLS(tmp_path / "ca.pem", Path("/abs/c.pem"), Path("/abs/k.pem")))
    )
    assert isinstance(of_calico, EtcdConnection)
    assert of_calico.access.username == "calico"
    assert isinstance(of_system, EtcdConnection)
    assert of_system.access == EtcdAccess(username="system", password="s")


def test_a_file_that_names_etcd_also_says_who_we_are_there(tmp_path: Path) -> None:
    text = "datastore: etcds://a:1\netcd: {caFile: ca.pem, username: host1, passwordFile: secret}\n"
    connection = Settings(config=write(tmp_path / "c.yaml", text)).connection(
        {"ETCD_USERNAME": "x", "ETCD_PASSWORD": "x"}
    )
    access = EtcdAccess(TLS(ca=tmp_path / "ca.pem"), "host1", tmp_path / "secret")
    assert connection == EtcdConnection(("a:1",), True, access)


def test_a_file_that_names_etcd_alone_leaves_who_we_are_to_the_next(tmp_path: Path, system_settings: Path) -> None:
    write(system_settings, "etcd: {username: system, password: s}\n")
    config = write(tmp_path / "c.yaml", "datastore: etcd://a:1\n")
    access = EtcdAccess(username="system", password="s")
    assert Settings(config=config).connection({}) == EtcdConnection(("a:1",), False, access)


def test_secrets_are_not_shown() -> None:
    shown = repr(EtcdAccess(TLS(key="-----BEGIN"), "me", "hidden"))
    assert "hidden" not in shown
    assert "BEGIN" not in shown
    assert "/etc/secret" in repr(EtcdAccess(username="me", password=Path("/etc/secret")))


CALICO_VARIABLES = {
    "DATASTORE_TYPE": "etcdv3", "ETCD_ENDPOINTS": "https://a:1, https://b:2", "ETCD_USERNAME": "u", "ETCD_PASSWORD": "p",
    "ETCD_CA_CERT_FILE": "/ca", "ETCD_CERT_FILE": "/cert", "ETCD_KEY_FILE": "/key",
}  # fmt: skip
OF_CALICO = EtcdConnection(("a:1", "b:2"), True, EtcdAccess(TLS(Path("/ca"), Path("/cert"), Path("/key")), "u", "p"))


@pytest.mark.parametrize("prefix", ["", "CALICO_"], ids=["plain", "CALICO_"])
def test_calicos_variables_mean_what_they_mean_to_calico(prefix: str) -> None:
    environment = {prefix + name: value for name, value in CALICO_VARIABLES.items()}
    assert Settings().connection(environment) == OF_CALICO


def test_the_prefixed_variable_comes_first() -> None:
    environment = {
        **CALICO_VARIABLES,
        "ETCD_ENDPOINTS": "http://other:1",
        "CALICO_ETCD_ENDPOINTS": "https://a:1,https://b:2",
    }
    assert Settings().connection(environment) == OF_CALICO


def test_calicos_file_is_read_as_calico_reads_it(tmp_path: Path) -> None:
    file = write(
        tmp_path / "calicoctl.cfg",
        CALICO_FILE
        + "  etcdUsername: u\n  etcdPassword: p\n  etcdCACertFile: /ca\n  etcdCertFile: /cert\n  etcdKeyFile: /key\n"
        + "  k8sInsecureSkipTLSVerify: true\n",
    )
    assert Settings(config=file).connection({}) == OF_CALICO._replace(endpoints=("calico-file:2379",))


def test_certificates_as_text_come_before_files(tmp_path: Path) -> None:
    file = write(tmp_path / "c", CALICO_FILE + "  etcdCACertFile: /ca\n  etcdCACert: |\n    -----BEGIN\n    x\n")
    connection = Settings(config=file).connection({})
    assert isinstance(connection, EtcdConnection)
    assert connection.tls == TLS(ca="-----BEGIN\nx\n")


def test_without_a_type_endpoints_mean_etcd_and_a_kubeconfig_means_nothing(tmp_path: Path) -> None:
    assert Settings().connection({"ETCD_ENDPOINTS": "http://a:1"}) == EtcdConnection(("a:1",), False)
    assert isinstance(Settings().connection({"KUBECONFIG": f"{tmp_path}/.kube/config"}), SQLiteConnection)


def test_no_secret_is_shown() -> None:
    shown = repr(EtcdConnection(("a:1",), True, EtcdAccess(TLS(key="-----BEGIN PRIVATE"), "u", "hunter2")))
    assert "hunter2" not in shown
    assert "BEGIN" not in shown


# --- mistakes ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("datastore: etcd://a\netcd:\n  cafile: x\n  kyFile: y\n", r"f:4:3: etcd\.kyFile: there is no field 'kyFile' here; did you mean keyFile\?"),
        ("datastore: mysql://a\n", r"f:1:12: datastore: 'mysql://a' does not name a datastore; expected sqlite:///PATH"),
        ("datastore: lab://\n", r"f:1:12: datastore: 'lab://' does not name a lab; expected lab://NAME"),
        ("datastore: etcd://me:pw@a\n", r"f:1:12: datastore: .* holds no user and password"),
        ("etcd: {certFile: c}\n", r"f:1:7: etcd\.keyFile: is missing beside the other half"),
        ("etcd: {username: u}\n", r"f:1:7: etcd\.password: is missing"),
        ("etcd: {passwordFile: p}\n", r"f:1:7: etcd\.username: is missing"),
        ("etcd: {username: u, password: p, passwordFile: p}\n", r"f:1:48: etcd\.passwordFile: excludes password"),
        ("- a\n", r"f:1:1: expected one mapping of settings"),
        ("a: [\n", r"f:2:1: .* \(while|f:2:1: "),
        (CALICO_FILE.replace("etcdEndpoints", "etcdEndpoint"), r"f:6:3: spec\.etcdEndpoint: .*did you mean etcdEndpoints\?"),
        (CALICO_FILE.replace("etcdv3", "etcdv2"), r"f:5:18: spec\.datastoreType: 'etcdv2' is not one of etcdv3, kubernetes"),
        (CALICO_FILE.replace("etcdv3", "kubernetes"), r"f:5:18: spec\.datastoreType: the Kubernetes API .* not supported yet"),
        (CALICO_FILE.replace("https://", ""), r"f:6:18: spec\.etcdEndpoints: 'calico-file:2379' are no endpoints"),
        (CALICO_FILE + "  etcdDiscoverySrv: example.com\n", r"f:7:21: spec\.etcdDiscoverySrv: finding etcd by SRV"),
        (CALICO_FILE.replace("/v3", "/v1"), r"f:1:13: apiVersion: 'projectcalico\.org/v1' is not one of projectcalico\.org/v3"),
    ],
    ids=[
        "unknown field", "not a datastore", "no lab", "a password in an URL", "certificate alone", "user alone",
        "password alone", "two passwords", "a list", "no YAML",
        "Calico's unknown field", "Calico's unknown type", "Kubernetes", "endpoints without scheme", "SRV", "another version",
    ],
)  # fmt: skip
def test_a_mistake_in_a_file_is_told_with_its_place(
    text: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "f", text)
    with pytest.raises(CommandError, match=f"^{message}"):
        Settings(config=Path("f")).connection({})


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"TORTIE_DATASTORE": "sqlite:relative"}, "TORTIE_DATASTORE: 'sqlite:relative' does not name a datastore"),
        ({"TORTIE_DATASTORE": "etcd://a:70000"}, "TORTIE_DATASTORE: 'a:70000' in .* is no endpoint of etcd"),
        ({"DATASTORE_TYPE": "etcd2"}, "DATASTORE_TYPE: 'etcd2' is not one of etcdv3, kubernetes"),
        ({"CALICO_DATASTORE_TYPE": "kubernetes"}, "CALICO_DATASTORE_TYPE: the Kubernetes API"),
        ({"DATASTORE_TYPE": "etcdv3"}, "ETCD_ENDPOINTS: etcd is the datastore, and no endpoints"),
        ({"ETCD_ENDPOINTS": "http://a:1,https://b:1"}, "ETCD_ENDPOINTS: .* mixes http and https"),
        ({"ETCD_ENDPOINTS": "https://a:1", "ETCD_KEY_FILE": "k"}, "ETCD_CERT_FILE: certificate is missing"),
    ],
    ids=["not an URL", "not a port", "not a type", "Kubernetes", "no endpoints", "mixed", "key alone"],
)  # fmt: skip
def test_a_mistake_in_the_environment_is_told_with_its_variable(environment: dict[str, str], message: str) -> None:
    with pytest.raises(CommandError, match=f"^{message}"):
        Settings().connection(environment)


def test_a_settings_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Settings(config=tmp_path / "missing").connection({})
