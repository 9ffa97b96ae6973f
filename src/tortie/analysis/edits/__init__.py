"""Edits of policies that make one flow's verdict another, and which of them is the smallest.

    verdict ─► opening, closing: candidates ─► size: what else they change ─► search: the first, by size, with which the oracle says otherwise

A candidate is a change of one object as it was written, so that it can be told with its file and line, and applied.
"""
