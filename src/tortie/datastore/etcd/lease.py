"""Leases of etcd."""

from __future__ import annotations

import contextlib

from tortie.datastore.etcd import rpc_pb2 as rpc
from tortie.datastore.etcd.client import Client
from tortie.datastore.etcd.methods import LEASE_REVOKE
from tortie.datastore.store import LeaseId, NotFoundError


class EtcdLease:
    """See ``store.Lease``."""

    def __init__(self, client: Client, lease: LeaseId, ttl_s: float) -> None:
        self._client = client
        self.id = lease
        self.ttl_s = ttl_s
        """What etcd made of the wish: whole seconds, and not less than an election takes."""

    def renew(self) -> None:
        answer = self._client.keep_alive(rpc.LeaseKeepAliveRequest(id=self.id))
        if answer.ttl_s <= 0:
            raise NotFoundError(f"lease {self.id}")

    def revoke(self) -> None:
        with contextlib.suppress(NotFoundError):  # it has ended
            self._client.call(LEASE_REVOKE, rpc.LeaseRevokeRequest(id=self.id))
