"""A Kubernetes ServiceAccount → the Calico profile that gives its pods its labels."""

from __future__ import annotations

from typing import Any

import pytest

from tortie.conversion import ConversionError, meaning, service_account
from tortie.model import codec, kinds, kubernetes


def account(**metadata: Any) -> kubernetes.ServiceAccount:
    document = {"kind": "ServiceAccount", "metadata": {"name": "web", "namespace": "shop", **metadata}}
    return codec.from_document(document, kubernetes.ServiceAccount)


def test_the_labels_are_applied_with_a_prefix_and_nothing_is_decided() -> None:
    profile = service_account(account(labels={"team": "a", "projectcalico.org/name": "claimed"}))
    assert profile.metadata.name == "ksa.shop.web"
    assert profile.spec.labels_to_apply == {"pcsa.projectcalico.org/name": "web", "pcsa.team": "a"}
    assert (profile.spec.ingress, profile.spec.egress) == ((), ())


def test_its_meaning_is_that_profile() -> None:
    ((key, _),) = meaning(account()).items()
    assert (key.kind, key.namespace, key.name) == (kinds.PROFILE, "", "ksa.shop.web")


def test_a_name_that_would_be_too_long_is_refused() -> None:
    with pytest.raises(ConversionError, match="too many"):
        service_account(account(name="x" * 250))
