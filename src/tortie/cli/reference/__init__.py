"""What the declarations of ``tortie.model`` say about themselves: field documentation, JSON Schema, reference pages.

Everything here is made from ``describe`` (``tree``), which joins what msgspec knows of a struct with the docstrings of its
source. No kind has code of its own here: a kind that is added to ``KINDS`` has its documentation, schema and page.
"""
