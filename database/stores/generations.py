"""What both stores do with generations of the index; pure."""

from dataclasses import replace

from database.documents import Document


def carry_over(document: Document, made: Document | None) -> Document:
    """A document's record when the next generation answers, where `made` is what that one has of it.

    Names are those of now. What the next one lacks waits to be read, unless it cannot be read anyhow.
    """
    if made is not None:
        return replace(made, names=document.names, added_at=document.added_at)
    return document if document.state == "failed" else replace(document, state="queued", version="")
