"""The three kinds of patches that ``tortie patch`` takes, as functions from a document to a new one.

JSON merge patch (RFC 7396), JSON patch (RFC 6902), and Kubernetes' strategic merge patch, which merges some lists by a key.
"""

from tortie.cli.patching.jsonpatch import json_patch
from tortie.cli.patching.merge import merge_patch
from tortie.cli.patching.problem import PatchError
from tortie.cli.patching.strategic import strategic_patch
from tortie.cli.patching.text import parse_patch

__all__ = ["PatchError", "json_patch", "merge_patch", "parse_patch", "strategic_patch"]
