"""A follow-up question and the question before it, joined to one that can be searched for. Pure.

"Qual foi a receita em 2021?", "E em 2022?" → "Qual foi a receita em 2022?". What the new question
restates takes the place of its like in the one before; what cannot be placed is put at the end.
"""

import re
from collections.abc import Sequence

from app.followups import asks_little, find_pronoun, is_follow_up
from app.questions import Parsed, Word, find_phrases, kind_of, parse, trim_phrase

LOOK_BACK = 6
"""Questions before this one: a follow-up may follow a follow-up."""
MAX_CHARS = 400
"""Who asks at greater length repeats what is meant; of longer questions before, this much is used."""

_END = re.compile(r"[\s?!.…]+$")


def rewrite_by_rule(question: str, earlier: Sequence[str]) -> str:
    """The question to search for, given the questions `earlier` in this conversation, the latest last;
    `question` itself when it stands by itself."""
    before = ""
    for text in [*(turn[:MAX_CHARS] for turn in earlier[-LOOK_BACK:]), question]:
        follows = before.strip() and needs_history(text, before)
        before = join(parse(before), parse(text, before)) if follows else text
    return before


def needs_history(question: str, before: str) -> bool:
    """Whether only the question `before` it tells what `question` asks."""
    return len(question) <= MAX_CHARS and is_follow_up(parse(question, before[:MAX_CHARS]))


def join(last: Parsed, question: Parsed) -> str:
    """The follow-up `question` completed from the question before."""
    content, figures = question.content, [word for word in question.words if word.number]
    if pronoun := find_pronoun(question):
        return _put_topic(last, question, pronoun)
    if asks_little(question):
        return _append(_strip(question), _after_asking(last))
    if not content and not figures:
        return _ask_barely(last, question)
    if question.fragment or not content or _asks_alike(last, question):
        return _place(last, question)
    named = any(word.named for word in question.words)
    return _strip(question) if named else _append(_strip(question), f"({_find_owner(last) or _topic(last)})")


def _ask_barely(last: Parsed, question: Parsed) -> str:
    """ "Why?" and "where is it?" of what was asked before; "explain better" is the question before itself."""
    if not question.asks or len(question.words) > 2:
        return last.text
    asking = [w for w in question.words if question.grammar.has("asking", w.raw) or w.raw in question.grammar.families]
    return _append(_strip(question), _after_asking(last) if len(asking) == len(question.words) else _topic(last))


def _asks_alike(last: Parsed, question: Parsed) -> bool:
    """Whether both ask with the same word, and the new one names but things: "E qual foi o lucro?"."""
    asking = [[w.raw for w in q.words if q.grammar.has("asking", w.raw)][:1] for q in (last, question)]
    placed = sum(len(phrase) for phrase in find_phrases(question))
    return question.tied and asking[0] == asking[1] and placed == len(question.words) - _count_lead(question)


def _count_lead(question: Parsed) -> int:
    """How many words of a question come before the thing that it asks for."""
    for n, word in enumerate(question.words):
        starts = question.grammar.has("determiners", word.raw) or word.raw in question.grammar.families
        if n and (starts or question.is_content(word)):
            return n
    return len(question.words)


def _place(last: Parsed, question: Parsed) -> str:
    """Each phrase of a fragment in the place of its like in the last question, or at its end."""
    text = last.text
    for phrase in find_phrases(question):
        text = _place_phrase(parse(text), question, phrase)
    return text


def _place_phrase(last: Parsed, question: Parsed, phrase: Sequence[Word]) -> str:
    written, kind = question.text[phrase[0].start : phrase[-1].end], kind_of(question, phrase)
    if kind == "figure":
        return _swap_figures(last, phrase) or _append(last.text, written)
    family = question.grammar.families.get(phrase[0].raw)
    alike = [found for found in find_phrases(last) if kind_of(last, found) == kind]
    same = [found for found in alike if last.grammar.families.get(found[0].raw) == family]
    target = (same or (alike if kind == "name" else []))[-1:]
    if not target:
        return _append(last.text, written)
    old = trim_phrase(last, target[0], kind)
    return last.text[: old[0].start] + written + last.text[old[-1].end :]


def _swap_figures(last: Parsed, phrase: Sequence[Word]) -> str:
    """The last question with its figures of the same shape replaced; empty when their numbers differ."""
    figures = [word for word in phrase if word.number]
    shapes = {_shape(word) for word in figures}
    old = [word for word in last.words if word.number and _shape(word) in shapes]
    if len(old) != len(figures):
        return ""
    text = last.text
    for was, now in reversed(list(zip(old, figures, strict=True))):
        text = text[: was.start] + now.raw.upper() + text[was.end :]
    return text


def _shape(word: Word) -> str:
    """Q3 is like Q4 and 2021 like 2022, but not like 12."""
    digits = "year" if re.fullmatch(r"(?:1[5-9]|20)\d\d", word.raw) else "0"
    return re.sub(r"\d+", digits, word.raw)


def _put_topic(last: Parsed, question: Parsed, pronoun: Word) -> str:
    """The question with what the last one was about in place of its pronoun, or behind it in brackets."""
    topic, start = _topic(last), question.words[0].start
    if _is_inverted(question, pronoun):
        return _append(_strip(question), f"({topic})")
    return _begin(question.text[start : pronoun.start] + topic + question.text[pronoun.end :], question)


def _is_inverted(question: Parsed, pronoun: Word) -> bool:
    """Whether a French pronoun follows its verb, where no noun can: "a-t-elle été construite"."""
    before = question.words[max(0, question.words.index(pronoun) - 1)]
    after_verb = before is not pronoun and not question.grammar.has("asking", before.raw)
    return pronoun.raw in ("il", "elle", "ils", "elles") and after_verb


def _topic(last: Parsed) -> str:
    """What a question is about: from its first word of content on, without a verb before an article."""
    at = next((n for n, word in enumerate(last.words) if not last.is_small(word)), 0)
    words = last.words[at:]
    if len(words) > 2 and last.grammar.has("determiners", words[1].raw):
        words = words[1:]
    elif at and last.grammar.has("determiners", last.words[at - 1].raw):
        words = last.words[at - 1 :]
    return _END.sub("", last.text[words[0].start :]) if words else ""


def _find_owner(last: Parsed) -> str:
    """The only name in the last question, if there is only one."""
    names = [phrase for phrase in find_phrases(last) if kind_of(last, phrase) == "name"]
    named = [word for word in names[0] if word.named] if len(names) == 1 else []
    return last.text[named[0].start : named[-1].end] if named else ""


def _after_asking(last: Parsed) -> str:
    """The last question without what asks: "construiu o farol"."""
    asking = [n for n, word in enumerate(last.words) if last.grammar.has("asking", word.raw)]
    at = asking[-1] + 1 if asking else 0
    if asking and last.words[0].raw in last.grammar.families:  # "em que ano"
        at += 1
    while at < len(last.words) and any(last.grammar.has(name, last.words[at].raw) for name in ("others", "pronouns")):
        at += 1
    return _END.sub("", last.text[last.words[at].start :]) if at < len(last.words) else ""


def _strip(question: Parsed) -> str:
    """The question without what ties it to the one before."""
    return _begin(question.text[question.words[0].start :], question)


def _begin(text: str, question: Parsed) -> str:
    mark = "¿" if "¿" in question.text else ""
    return mark + text[:1].upper() + text[1:]


def _append(text: str, more: str) -> str:
    """`more` at the end of `text`, before its question mark."""
    body = _END.sub("", text)
    return f"{body} {more}{text[len(body) :]}" if more else text
