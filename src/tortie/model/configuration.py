"""The cluster's identity, and the settings of the controllers that watch Kubernetes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from tortie.model.meta import Resource, Value
from tortie.model.scalars import Duration, PortNumber, Severity, Switch


class ClusterInformationSpec(Value, frozen=True, kw_only=True):
    """What the cluster is."""

    cluster_guid: str = msgspec.field(default="", name="clusterGUID")
    """Identifies the cluster: 32 hexadecimal digits, made once."""
    cluster_type: str = ""
    """Words joined by commas, such as ``k8s,bgp,kdd``; programs add theirs."""
    calico_version: str = ""
    """The version that the cluster was last brought to."""
    datastore_ready: bool | None = None
    """Whether agents may use the datastore; they wait while it is false, as during a migration."""
    variant: str = ""
    """Which product: ``Calico``."""


class ClusterInformation(Resource, frozen=True, kw_only=True, tag="ClusterInformation"):
    """What the cluster is; the only one is named ``default``."""

    api_version: Literal["projectcalico.org/v3"] = "projectcalico.org/v3"
    spec: ClusterInformationSpec


class HostEndpointTemplate(Value, frozen=True, kw_only=True):
    """How host endpoints of nodes are made; one per node that nodeSelector selects and that has a fitting address."""

    generate_name: str
    """What tells this template's host endpoints from others'; unique among the templates."""
    interface_cidrs: tuple[str, ...] = msgspec.field(default=(), name="interfaceCIDRs")
    """Addresses of the node in these ranges become expectedIPs."""
    interface_pattern: str = ""
    """Addresses of interfaces whose names match this regular expression become expectedIPs."""
    labels: Mapping[str, str] = {}
    """Labels of the host endpoints, beside the node's own."""
    annotations: Mapping[str, str] = {}
    """Annotations of the host endpoints."""
    node_selector: str = ""
    """The nodes that get such a host endpoint; empty: all."""


class AutoHostEndpointConfig(Value, frozen=True, kw_only=True):
    """Whether nodes get host endpoints without being asked for."""

    auto_create: Switch | None = None
    """Whether they do; absent: Disabled."""
    create_default_host_endpoint: Switch | None = None
    """Whether each node gets one for all its interfaces (``*``); absent: Enabled."""
    templates: tuple[HostEndpointTemplate, ...] = ()
    """Further host endpoints."""


class NodeControllerConfig(Value, frozen=True, kw_only=True):
    """Cleans up after nodes that are gone, and keeps nodes' labels and host endpoints."""

    reconciler_period: Duration | None = None
    """How often everything is compared; absent: 5m."""
    sync_labels: Switch | None = None
    """Whether Kubernetes nodes' labels are copied to ours; absent: Enabled."""
    host_endpoint: AutoHostEndpointConfig | None = None
    """Whether nodes get host endpoints; absent: no."""
    leak_grace_period: Duration | None = None
    """How long an address may belong to nobody until it is released; absent: 15m, 0s: never released."""


class ReconcilerConfig(Value, frozen=True, kw_only=True):
    """A controller that copies one kind from Kubernetes to etcd."""

    reconciler_period: Duration | None = None
    """How often everything is compared; absent: 5m."""


class LoadBalancerControllerConfig(Value, frozen=True, kw_only=True):
    """Gives addresses to services of type LoadBalancer."""

    assign_ips: Literal["AllServices", "RequestedServicesOnly"] | None = msgspec.field(default=None, name="assignIPs")
    """To all of them (where absent), or only to those that ask by annotation."""


class MigrationControllerConfig(Value, frozen=True, kw_only=True):
    """Rewrites what older versions stored."""

    policy_name_migrator: Switch | None = None
    """Whether policies are stored under their own names; absent: Enabled."""


class ControllersConfig(Value, frozen=True, kw_only=True):
    """The controllers that run; one that is absent does not."""

    node: NodeControllerConfig | None = None
    """Cleans up after nodes that are gone."""
    policy: ReconcilerConfig | None = None
    """Copies network policies; with etcd only."""
    workload_endpoint: ReconcilerConfig | None = None
    """Copies pods' labels; with etcd only."""
    service_account: ReconcilerConfig | None = None
    """Copies service accounts; with etcd only."""
    namespace: ReconcilerConfig | None = None
    """Copies namespaces; with etcd only."""
    load_balancer: LoadBalancerControllerConfig | None = None
    """Gives addresses to services."""
    migration: MigrationControllerConfig | None = None
    """Rewrites what older versions stored."""


class KubeControllersConfigurationSpec(Value, frozen=True, kw_only=True):
    """Settings of the controllers' process."""

    log_severity_screen: Severity = ""
    """How much it logs: Trace, Debug, Info, Warning, Error or Fatal; empty: Info."""
    health_checks: Switch | None = None
    """Whether it reports its health; absent: Enabled."""
    etcd_v3_compaction_period: Duration | None = msgspec.field(default=None, name="etcdV3CompactionPeriod")
    """How often etcd is compacted; absent: 10m, 0s: never."""
    prometheus_metrics_port: PortNumber | None = None
    """Where metrics are served; absent: 9094, 0: nowhere."""
    controllers: ControllersConfig = ControllersConfig()
    """The controllers that run."""
    debug_profile_port: PortNumber | None = None
    """Where profiles are served; absent or 0: nowhere."""


class KubeControllersConfigurationStatus(Value, frozen=True, kw_only=True):
    """What the controllers run with."""

    running_config: KubeControllersConfigurationSpec | None = None
    """The settings in effect: the environment's, before this resource's, before the defaults."""
    environment_vars: Mapping[str, str] = {}
    """Settings that come from the environment, which win."""


class KubeControllersConfiguration(Resource, frozen=True, kw_only=True, tag="KubeControllersConfiguration"):
    """Settings of the controllers that watch Kubernetes; the only one is named ``default``."""

    api_version: Literal["projectcalico.org/v3"] = "projectcalico.org/v3"
    spec: KubeControllersConfigurationSpec
    status: KubeControllersConfigurationStatus = KubeControllersConfigurationStatus()
    """Written by the controllers."""
