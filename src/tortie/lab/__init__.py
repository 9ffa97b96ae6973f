"""A cluster in a box: hosts and workloads as namespaces of one process tree, and the demos that run in it.

From outside in: ``client`` (what commands use), ``launch`` (starts the tree), ``init`` (its first process), ``daemon`` (its
second, which owns everything), ``host`` and ``fabric`` (machines and what joins them), ``kubelet`` (Pods), and ``probe`` and
``collector``, the programs that demos run as workloads. ``namespaces`` is the only module that makes system calls by number.
"""
