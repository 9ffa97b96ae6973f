"""FelixConfiguration, part 1: the agent as a process. Logs, health, metrics, runtime, debugging, reports about itself."""

from __future__ import annotations

from typing import Literal

import msgspec

from tortie.model.felix_values import Burst, FeatureList, GateList, HealthTimeoutOverride, Limit, RateLimit
from tortie.model.meta import Value
from tortie.model.scalars import Duration, PortNumber, Severity


class ProcessFields(Value, frozen=True, kw_only=True):
    """Fields of FelixConfiguration's spec; see ``tortie.model.felix``."""

    # features and runtime
    feature_detect_override: FeatureList = ""
    """Features of the kernel and its tools that are not detected but given: ``SNATFullyRandom=true``. Default: none."""
    feature_gates: GateList = ""
    """Features that are not ready for everybody, by name: ``Name=Enabled``. Default: none."""
    go_gc_threshold: Limit | None = msgspec.field(default=None, name="goGCThreshold")
    """How much the heap may grow until garbage is collected, in percent; -1: never collected. Default: 40."""
    go_max_procs: Limit | None = None
    """How many CPUs are used at once; -1: all. Default: -1."""
    go_memory_limit_mb: Limit | None = msgspec.field(default=None, name="goMemoryLimitMB")
    """A soft limit on memory, in MB; -1: none. Default: -1."""

    # health
    health_enabled: bool | None = None
    """Whether liveness and readiness are served over HTTP. Default: false."""
    health_host: str | None = None
    """The address or name that they are served on. Default: localhost."""
    health_port: PortNumber | None = None
    """The TCP port that they are served on. Default: 9099."""
    health_timeout_overrides: tuple[HealthTimeoutOverride, ...] = ()
    """Another patience with parts of the agent, by name. Default: none."""

    # logging
    log_action_rate_limit: RateLimit | None = None
    """How many packets rules with action Log log, such as ``10/second``, per rule. Default: no limit."""
    log_action_rate_limit_burst: Burst | None = None
    """How many packets are logged at once in spite of the rate limit. Default: 5."""
    log_debug_filename_regex: str = ""
    """Debug logs only from source files whose names match this regular expression. Default: all."""
    log_file_path: str = ""
    """The log file; ``none``: no file. Default: /var/log/calico/felix.log."""
    log_prefix: str = ""
    """What rules with action Log write before a packet; may hold %t (tier), %k (kind), %n (name), %p. Default: calico-packet."""
    log_severity_file: Severity = ""
    """How much goes to the log file. Default: Info."""
    log_severity_screen: Severity = ""
    """How much goes to standard output. Default: Info."""
    log_severity_sys: Severity = ""
    """How much goes to syslog. Default: Info."""

    # Prometheus metrics
    prometheus_metrics_enabled: bool | None = None
    """Whether metrics are served. Default: false."""
    prometheus_metrics_host: str = ""
    """The address or name that they are served on. Default: all addresses."""
    prometheus_metrics_port: PortNumber | None = None
    """The TCP port that they are served on. Default: 9091."""
    prometheus_go_metrics_enabled: bool | None = None
    """Whether those of the runtime are among them. Default: true."""
    prometheus_process_metrics_enabled: bool | None = None
    """Whether those of the process are among them. Default: true."""
    prometheus_wire_guard_metrics_enabled: bool | None = msgspec.field(
        default=None, name="prometheusWireGuardMetricsEnabled"
    )
    """Whether those of WireGuard are among them. Default: true."""
    prometheus_metrics_ca_file: str = msgspec.field(default="", name="prometheusMetricsCAFile")
    """The certificates that clients' are checked with; with a certificate and key, metrics are served over TLS. Default: none."""
    prometheus_metrics_cert_file: str = ""
    """The server's certificate. Default: none."""
    prometheus_metrics_key_file: str = ""
    """The server's private key. Default: none."""
    prometheus_metrics_client_auth: (
        Literal["NoClientCert", "RequireAndVerifyClientCert", "RequireAnyClientCert", "VerifyClientCertIfGiven"] | None
    ) = None
    """Whether clients need a certificate. Default: NoClientCert."""

    # reports about itself
    usage_reporting_enabled: bool | None = None
    """Whether version and size of the cluster are told to projectcalico.org. Default: true."""
    usage_reporting_initial_delay: Duration | None = None
    """How long after the start. Default: 300s."""
    usage_reporting_interval: Duration | None = None
    """How often. Default: 86400s."""

    # debugging and tests
    debug_disable_log_dropping: bool | None = None
    """Whether the agent waits rather than drops its own logs when they are slow to write. Default: false."""
    debug_host: str | None = None
    """The address or name that profiles are served on. Default: localhost."""
    debug_port: PortNumber | None = None
    """The TCP port that profiles are served on, without any protection. Default: none."""
    debug_memory_profile_path: str = ""
    """Where a profile of memory is written on SIGUSR1; may hold ``<timestamp>``. Default: nowhere."""
    debug_simulate_calc_graph_hang_after: Duration | None = None
    """For tests: when the calculation stops. Default: 0s, never."""
    debug_simulate_dataplane_apply_delay: Duration | None = None
    """For tests: how much longer every change takes. Default: 0s."""
    debug_simulate_dataplane_hang_after: Duration | None = None
    """For tests: when the dataplane stops. Default: 0s, never."""
