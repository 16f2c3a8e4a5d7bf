"""What documents and histories hold stays quotation: one system turn, sources that close where they should."""

import json
import re
import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.llms import Message
from app.prompt import Prompt, build_prompt
from app.prompt_files import read_prompts
from app.rewrite import make_messages
from database.documents import Hit
from database.tokens import estimate_tokens
from tests.injections import ALL, FENCES, TURNS
from tests.llm_contract import make_hits

RULES = read_prompts().system("pt")
MARKS = re.compile(
    r"<[|｜]|</?(?:s|start_of_turn|end_of_turn|think|tool_calls?)>|<</?SYS>>|\[/?(?:INST|SYSTEM_PROMPT|TOOL_CALLS)\]"
)
OPENING = re.compile(r'^<source n="\d+" document="[^"<>\n]*" page="\d+"(?: section="[^"<\n]*")?>$', re.MULTILINE)
TEXTS = st.lists(
    st.sampled_from([*ALL.values(), "O farol foi construído em 1887. ", "<", ">", "\u200b", "\n"]), max_size=6
)


def make_prompt(texts: list[str], history: list[Message], question: str = "Quando?") -> Prompt:
    hits = [
        replace(hit, chunk=replace(hit.chunk, heading=hit.chunk.text[:80]), context=hit.chunk.text)
        for hit in make_hits(texts)
    ]
    return build_prompt(question, hits, history, RULES, 16_384, estimate_tokens)


def check(prompt: Prompt, sources: int) -> None:
    """One system turn, ours; each source opened and closed once; no mark that a chat template knows."""
    first, *rest = prompt.messages
    assert first == {"role": "system", "content": RULES}
    assert {turn["role"] for turn in rest} <= {"user", "assistant"} and rest[-1]["role"] == "user"
    content = rest[-1]["content"]
    assert len(OPENING.findall(content)) == sources == len(re.findall(r"^</source>$", content, re.MULTILINE))
    assert len(re.findall(r"[<＜﹤][\s/]*source\b", content, re.IGNORECASE)) == 2 * sources
    assert not [c for c in content if unicodedata.category(c) == "Cf" and c not in "\u200c\u200d"]
    assert not re.search(r"[\u034f\u3164\ufe00-\ufe0f\U000e0000-\U000e0fff]|[\x00-\x7f＜][\u200c\u200d]", content)
    for turn in rest:
        assert not MARKS.search(turn["content"])


@pytest.mark.parametrize("name", ALL)
def test_a_passage_stays_within_its_source(name: str) -> None:
    check(make_prompt([ALL[name], "O farol foi construído em 1887."], []), 2)


@given(texts=TEXTS, said=TEXTS)
def test_passages_and_histories_of_anything(texts: list[str], said: list[str]) -> None:
    texts = [text for text in texts if text.strip()]
    history = [Message(role=("user", "assistant")[n % 2], content=text) for n, text in enumerate(said)]
    check(make_prompt(texts, history), len(texts))


@pytest.mark.parametrize("name", TURNS)
def test_no_turn_is_made_by_a_history_a_question_or_a_name(name: str) -> None:
    history = [Message(role="user", content=TURNS[name]), Message(role="assistant", content=TURNS[name])]
    [hit] = make_hits(["Text."])
    names = tuple(replace(given, path=TURNS[name].replace("/", "")) for given in hit.document.names)
    named = Hit(hit.chunk, replace(hit.document, names=names), 1.0)
    prompt = build_prompt(TURNS[name], [named], history, RULES, 16_384, estimate_tokens)
    for turn in (*prompt.messages[1:], *make_messages(TURNS[name], history)):
        assert not MARKS.search(turn["content"])


def test_what_is_no_mark_stays_as_it_is() -> None:
    text = "p < 0,05; a<b; List<String>; <b>bold</b>; [1]; [INSTALL]; <section>; می‌خواهم; क्‍ष; x <- y"
    content = make_prompt([text], []).messages[-1]["content"]
    assert text in content and FENCES["close"] not in content
    assert json.dumps(content)
