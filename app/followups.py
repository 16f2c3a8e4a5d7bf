"""Which questions only the ones before them complete ("and in 2022?"), by rule. Pure.

A question that stands by itself must be left as it is: where the signs are weak, it counts as such.
"""

import itertools

from app.questions import Parsed, Word

MAX_WORDS = 30
"""Who asks at such length repeats what is meant."""
OWN = 4
"""Words of content with which a question stands by itself though it begins with "and"."""
CLITICS = ("se", "s")
"""Between the word that asks and its verb: "¿cómo se instala?"."""
NEAR = 2
"""With so many words of content before it, a pronoun most likely stands for one of them."""


def is_follow_up(question: Parsed) -> bool:
    """Whether only the conversation tells what is asked."""
    if not question.words or len(question.words) > MAX_WORDS:
        return False
    content = question.content
    if not content:
        return True
    if question.tied and len(content) < OWN:
        return True
    if question.fragment and question.words[0].raw in question.grammar.families:
        return True
    if asks_little(question):
        return True
    return any(_points_back(question, at) for at in range(len(question.words)))


def asks_little(question: Parsed) -> bool:
    """Whether one word behind the one that asks is all: "in which year?", "how many pages?", "who won?"."""
    words = [word for word in question.words if word.raw not in CLITICS]
    if len(words) < 2 or question.framed:
        return False
    asking, last = words[-2:]
    return question.grammar.has("asking", asking.raw) and question.content == [last] and not last.named


def find_pronoun(question: Parsed) -> Word | None:
    """The pronoun that stands for what the conversation named, if there is one."""
    for at, word in enumerate(question.words):
        stands_alone = question.grammar.has("pronouns", word.raw) and not _qualifies(question, at)
        if stands_alone and _points_back(question, at):
            return word
    return None


def _points_back(question: Parsed, at: int) -> bool:
    """Whether word `at` stands for, or points to, something that the question itself does not name."""
    word, grammar = question.words[at], question.grammar
    if word.named:
        return False
    if _qualifies(question, at):
        return not _names_thing(question, at)
    if word.raw == "that" and not _is_pronoun(question, at):
        return False
    if not grammar.has("pronouns", word.raw) and not grammar.has("possessives", word.raw):
        return False
    return not _is_dummy(question, at) and not _names_thing(question, at)


def _is_pronoun(question: Parsed, at: int) -> bool:
    """Whether the English "that" is one: "does that mean", at the end; else it begins a clause."""
    return at + 1 == len(question.words) or (at > 0 and question.words[at - 1].raw in ("is", "was", "does", "did"))


def _qualifies(question: Parsed, at: int) -> bool:
    """Whether word `at` is a demonstrative with its noun: "this article"."""
    has_noun = at + 1 < len(question.words) and question.is_content(question.words[at + 1])
    return has_noun and question.grammar.has("demonstratives", question.words[at].raw)


def _is_dummy(question: Parsed, at: int) -> bool:
    beside = question.words[max(0, at - 3) : at + 3]
    return any(question.grammar.has("dummies", word.raw) for word in beside)


def _names_thing(question: Parsed, at: int) -> bool:
    """Whether a name, a noun with its article, or much else comes before word `at` that it may stand for.

    The word right before it does not count: "the name of it", "what does it cost".
    """
    before = question.words[: max(0, at - 1)]
    if _ends_with_it(question, at):
        return sum(map(question.is_content, before)) > NEAR
    if any(word.named for word in question.words[:at]) or sum(map(question.is_content, before)) > NEAR:
        return True
    if before and question.is_content(before[0]):
        return True
    owner = question.grammar.has("possessives", question.words[at].raw)  # "which firm sold its offices"
    marks = ("determiners", "asking") if owner else ("determiners",)
    pairs = [(a, b) for a, b in itertools.pairwise(before) if question.is_content(b)]
    return any(question.grammar.has(mark, a.raw) for a, _ in pairs for mark in marks)


def _ends_with_it(question: Parsed, at: int) -> bool:
    """Whether word `at` closes the question as the owner or the aim of what it asks for: "… risk of it?"."""
    word, grammar = question.words[at], question.grammar
    owner = grammar.has("possessives", word.raw) or (at and question.words[at - 1].raw in grammar.families)
    return bool(owner) and at + 1 == len(question.words)
