"""Hypothesis strategies for what the whole project speaks of: labels, selectors, clusters."""

from __future__ import annotations

from random import Random

from hypothesis import strategies as st

from tortie.selectors import Selector
from tortie.selectors.syntax import All, And, Compare, Comparison, Global, Has, Leaf, Node, Not, OneOf, Or
from tortie.testing.clusters import RandomCluster, random_cluster

_NAMES = ("a", "b", "in", "has", "calico/k8s_ns.x-1")
_VALUES = ("", "x", "xy", "yx", "'", '"', "x, y", "value")


def label_maps() -> st.SearchStrategy[dict[str, str]]:
    """Labels out of a vocabulary so small that selectors of ``selectors`` often match."""
    return st.dictionaries(st.sampled_from(_NAMES), st.sampled_from(_VALUES))


def selectors() -> st.SearchStrategy[Selector]:
    """Every form of expression, as far as text can express it: a ``!`` never stands before another."""
    return st.recursive(_leaves(), _groups, max_leaves=8).map(Selector)


def _leaves() -> st.SearchStrategy[Leaf]:
    name, value = st.sampled_from(_NAMES), st.sampled_from(_VALUES)
    return st.one_of(
        st.builds(All),
        st.builds(Global),
        st.builds(Has, name),
        st.builds(Compare, name, st.sampled_from(Comparison), value),
        st.builds(OneOf, name, st.frozensets(value, max_size=3), st.booleans()),
    )


def _groups(operand: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    operands = st.lists(operand, min_size=2, max_size=3).map(tuple)
    return st.one_of(
        st.builds(And, operands),
        st.builds(Or, operands),
        operand.filter(lambda node: not isinstance(node, Not)).map(Not),
    )


def random_clusters(hosts: int = 2) -> st.SearchStrategy[RandomCluster]:
    """Clusters by their seed; what shrinks is the seed, so keep the resources of a found case, not the seed."""
    return st.integers(min_value=0, max_value=2**32 - 1).map(lambda seed: random_cluster(Random(seed), hosts))
