"""What is wrong with a patch."""


class PatchError(ValueError):
    """A patch that is none, or that does not fit the document; says where."""
