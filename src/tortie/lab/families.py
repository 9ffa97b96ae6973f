"""The address families as the lab's programs name them to each other, in JSON."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Literal, TypeAlias

FamilyName: TypeAlias = Literal["ipv4", "ipv6"]

FAMILIES: Mapping[FamilyName, socket.AddressFamily] = {"ipv4": socket.AF_INET, "ipv6": socket.AF_INET6}
