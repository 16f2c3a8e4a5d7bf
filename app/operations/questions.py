"""Asking, and what belongs to it."""

from collections.abc import Sequence

from app import replies
from app.feedback import Feedback
from app.operations.parts import LINES, Content, Operation, Parameter
from app.wire import AskRequest
from database.analysis import STEMMERS

ASKED = Content("The question.", AskRequest)
ANSWERED = Content("The answer, a line at a time: each line is one such object.", replies.AnswerLine, LINES)

QUESTIONS: Sequence[Operation] = (
    Operation("post", "/", "Ask a question", "Questions", {200: ANSWERED}, ASKED, fails=(408, 413, 502, 503, 504)),
    Operation(
        "post",
        "/gemini",
        "Ask Gemini, which sends the question to Google",
        "Questions",
        {200: ANSWERED},
        ASKED,
        fails=(408, 413, 502, 503, 504),
    ),
    Operation("get", "/models", "Models that a question may name", "Questions", {200: Content("", replies.Models)}),
    Operation(
        "get",
        "/topics",
        "Headings to ask about first",
        "Questions",
        {200: Content("", replies.Topics)},
        parameters=(Parameter("language", {"enum": [*STEMMERS]}, "Whose headings come first.", "query"),),
        fails=(400, 503),
    ),
    Operation(
        "post",
        "/feedback",
        "Rate an answer",
        "Questions",
        {201: Content("", replies.FeedbackKept)},
        Content("The rating.", Feedback),
        fails=(408, 413, 503),
    ),
    Operation(
        "get",
        "/feedback",
        "Every rating, the oldest first",
        "Questions",
        {200: Content("A rating a line.", replies.FeedbackLine, LINES)},
        fails=(503,),
    ),
)
