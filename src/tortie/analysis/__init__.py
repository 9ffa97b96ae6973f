"""Questions about a whole cluster, answered by asking the oracle many times."""
