"""The fleet's datastore: an etcd cluster, version 3.4 or later, over gRPC.

    store ── pages ── watch            what the contract asks for
      │        │        │
    client   aclient ───┘              calls: deadlines, tokens, another server when one fails (``attempts`` decides)
      └── cluster ──┘                  servers, credentials, channels
    codec, events                      pure: our values <-> etcd's messages (``rpc.proto``)

Loading gRPC takes more time than all of a short command, so this package is imported where an etcd store is opened, and
nowhere else.
"""

from tortie.datastore.etcd.faults import NoSpaceError
from tortie.datastore.etcd.store import EtcdStore, Health

__all__ = ["EtcdStore", "Health", "NoSpaceError"]
