"""Every address of the interface: what it takes, what it answers. `app.openapi` writes it down for programs.

Files of the pages are left out; a test holds that nothing else is, and that nothing is here that is not served.
"""

from collections.abc import Sequence

from app.operations.access import ACCESS
from app.operations.documents import DOCUMENTS
from app.operations.foreign import FOREIGN
from app.operations.parts import Content, Operation, Parameter
from app.operations.questions import QUESTIONS
from app.operations.server import SERVER

OPERATIONS: Sequence[Operation] = (*QUESTIONS, *DOCUMENTS, *ACCESS, *FOREIGN, *SERVER)

__all__ = ["OPERATIONS", "Content", "Operation", "Parameter"]
