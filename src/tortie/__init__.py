"""Tortie: a pure Layer 3 network and network-policy system, compatible with Project Calico."""

__version__ = "0.1.0"
