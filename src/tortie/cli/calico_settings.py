"""Calico's own settings: its environment variables and its file (kind CalicoAPIConfig), and the datastore that they mean.

The same names in the same meaning as for Calico's programs, so that what configures those configures us. A variable counts
with the prefix ``CALICO_`` first and without it second; certificates as text stand in the file only.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from msgspec import field

from tortie.cli.errors import CommandError
from tortie.cli.place import Said
from tortie.datastore.connection import TLS, EtcdAccess, StoreURLError, etcd_at
from tortie.model.codec import InvalidResourceError, from_document
from tortie.model.meta import Value


class CalicoMetadata(Value, frozen=True, kw_only=True):
    """Calico's file may have one; nobody reads it."""

    name: str = ""


class CalicoSpec(Value, frozen=True, kw_only=True):
    """Where Calico's datastore is, and how it is reached. What begins with ``k8s`` is for the Kubernetes API as the datastore."""

    datastore_type: Literal["etcdv3", "kubernetes"] | None = None
    """Absent: etcdv3 where its endpoints are given."""
    etcd_endpoints: str = ""
    """``https://HOST:PORT``, separated by commas."""
    etcd_discovery_srv: str = ""
    """A domain whose SRV records name the endpoints."""
    etcd_username: str = ""
    etcd_password: str = ""
    etcd_key_file: str = ""
    etcd_cert_file: str = ""
    etcd_ca_cert_file: str = field(default="", name="etcdCACertFile")
    etcd_key: str = ""
    """PEM text; it, and the two below, come before the files."""
    etcd_cert: str = ""
    etcd_ca_cert: str = field(default="", name="etcdCACert")
    kubeconfig: str = ""
    kubeconfig_inline: str = ""
    k8s_api_endpoint: str = field(default="", name="k8sAPIEndpoint")
    k8s_key_file: str = field(default="", name="k8sKeyFile")
    k8s_cert_file: str = field(default="", name="k8sCertFile")
    k8s_ca_file: str = field(default="", name="k8sCAFile")
    k8s_api_token: str = field(default="", name="k8sAPIToken")
    k8s_insecure_skip_tls_verify: bool = field(default=False, name="k8sInsecureSkipTLSVerify")
    k8s_disable_node_poll: bool = field(default=False, name="k8sDisableNodePoll")
    k8s_use_pod_cidr: bool = field(default=False, name="k8sUsePodCIDR")
    k8s_client_qps: float = field(default=0, name="k8sClientQPS")
    k8s_client_burst: int = field(default=0, name="k8sClientBurst")
    k8s_current_context: str = field(default="", name="k8sCurrentContext")
    calico_api_group: str = field(default="", name="calicoAPIGroup")


class CalicoAPIConfig(Value, frozen=True, kw_only=True):
    """The file that Calico's command reads as ``/etc/calico/calicoctl.cfg``."""

    api_version: Literal["projectcalico.org/v3"] = "projectcalico.org/v3"
    kind: Literal["CalicoAPIConfig"] = "CalicoAPIConfig"
    metadata: CalicoMetadata = CalicoMetadata()
    spec: CalicoSpec = CalicoSpec()


VARIABLES: Mapping[str, str] = {
    "DATASTORE_TYPE": "datastoreType",
    "ETCD_ENDPOINTS": "etcdEndpoints",
    "ETCD_DISCOVERY_SRV": "etcdDiscoverySrv",
    "ETCD_USERNAME": "etcdUsername",
    "ETCD_PASSWORD": "etcdPassword",
    "ETCD_KEY_FILE": "etcdKeyFile",
    "ETCD_CERT_FILE": "etcdCertFile",
    "ETCD_CA_CERT_FILE": "etcdCACertFile",
}
"""Calico's variables that concern us. Those of the Kubernetes API say nothing here: KUBECONFIG is set for kubectl, too."""


_FIELDS: Mapping[str, str] = {
    "certificate": "etcdCertFile", "key": "etcdKeyFile", "username": "etcdUsername", "password": "etcdPassword",
}  # fmt: skip


class CalicoSettingError(ValueError):
    """A setting of Calico's with which no datastore can be opened; ``field`` is its name in Calico's file."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def said_by_environment(environment: Mapping[str, str]) -> Said:
    """What Calico's variables say; CommandError names the variable that is wrong."""
    found = {name: _value(environment, variable) for variable, name in VARIABLES.items()}
    try:
        return choose(from_document({name: value for name, value in found.items() if value}, CalicoSpec))
    except InvalidResourceError as error:
        variable = _variable(environment, "datastoreType")
        raise CommandError(
            f"{variable}: {_value(environment, 'DATASTORE_TYPE')!r} is not one of etcdv3, kubernetes"
        ) from error
    except CalicoSettingError as error:
        raise CommandError(f"{_variable(environment, error.field)}: {error}") from error


def _value(environment: Mapping[str, str], variable: str) -> str:
    return environment.get(f"CALICO_{variable}") or environment.get(variable, "")


def _variable(environment: Mapping[str, str], field_name: str) -> str:
    """The variable that *field_name* comes from."""
    name = next(variable for variable, of in VARIABLES.items() if of == field_name)
    return f"CALICO_{name}" if environment.get(f"CALICO_{name}") else name


def choose(spec: CalicoSpec) -> Said:
    """The datastore that *spec* means; CalicoSettingError where it means one that we cannot open."""
    access = _access(spec)
    if spec.datastore_type == "kubernetes":
        raise CalicoSettingError(
            "datastoreType", "the Kubernetes API as the datastore is not supported yet; use etcd or SQLite"
        )
    if spec.etcd_discovery_srv:
        raise CalicoSettingError(
            "etcdDiscoverySrv", "finding etcd by SRV records is not supported; name the endpoints instead"
        )
    if not spec.etcd_endpoints:
        if spec.datastore_type is None:
            return Said(None, access)
        raise CalicoSettingError("etcdEndpoints", "etcd is the datastore, and no endpoints of it are given")
    try:
        return Said(etcd_at(_parts(spec.etcd_endpoints), access or EtcdAccess()), access)
    except StoreURLError as error:
        raise CalicoSettingError("etcdEndpoints", str(error)) from error


def _parts(endpoints: str) -> list[str]:
    return [part.strip() for part in endpoints.split(",") if part.strip()]


def _access(spec: CalicoSpec) -> EtcdAccess | None:
    tls = TLS(
        ca=spec.etcd_ca_cert or _path(spec.etcd_ca_cert_file),
        certificate=spec.etcd_cert or _path(spec.etcd_cert_file),
        key=spec.etcd_key or _path(spec.etcd_key_file),
    )
    access = EtcdAccess(tls, spec.etcd_username, spec.etcd_password)
    if access.missing:
        raise CalicoSettingError(
            _FIELDS[access.missing], f"{access.missing} is missing beside the other half of its pair"
        )
    return None if access == EtcdAccess() else access


def _path(text: str) -> Path | None:
    return Path(text) if text else None
