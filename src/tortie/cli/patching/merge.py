"""JSON merge patch, RFC 7396: mappings are merged, null removes a field, everything else replaces."""

from __future__ import annotations

from typing import Any


def merge_patch(document: Any, patch: Any) -> Any:
    """What *patch* makes of *document* (RFC 7396 §2); neither is changed."""
    if not isinstance(patch, dict):
        return patch
    before = document if isinstance(document, dict) else {}
    kept = {name: value for name, value in before.items() if name not in patch}
    merged = {name: merge_patch(before.get(name), value) for name, value in patch.items() if value is not None}
    # in the document's own order, so that a diff shows only what changed
    order = [name for name in before if name in merged or name in kept] + [
        name for name in merged if name not in before
    ]
    return {name: merged[name] if name in merged else kept[name] for name in order}
