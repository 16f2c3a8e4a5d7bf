"""Events as lines: each is one JSON object, and any reader gets them back however the bytes are cut."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.events import Check, Done, Event, Failed, Service, Sources, Timing, Token, Usage
from app.llms.ollama_parts import LineSplitter
from app.ndjson import encode_line, gemini_line, ollama_line
from tests.llm_contract import make_hits

TEXT = st.text(st.characters())  # lone surrogates too: file names and PDFs may hold them
SERVICE = Service("ollama", "127.0.0.1", True)
EVENTS: st.SearchStrategy[Event] = st.one_of(
    st.builds(Token, TEXT),
    st.builds(lambda text, query: Sources("m", query, make_hits([text, "x"])), TEXT, TEXT),
    st.builds(Failed, TEXT),
    st.builds(lambda n: Done("m", Usage(eval_count=n), [1, 2], make_hits(), 8192, [SERVICE]), st.integers(0, 10**12)),
)


OPENING = Sources("m", "asked", make_hits(["um", "dois"]), "rule", "pt")


@given(events=st.lists(EVENTS), cuts=st.lists(st.integers(1, 50)), encode=st.sampled_from([ollama_line, gemini_line]))
def test_lines_survive_any_cut(events: list[Event], cuts: list[int], encode: Any) -> None:
    lines = [encode(event, OPENING) for event in events]
    data, splitter, read = b"".join(lines), LineSplitter(), []
    while data:
        size = cuts.pop() if cuts else len(data)
        read += splitter.feed(data[:size])
        data = data[size:]
    assert [line + b"\n" for line in read] == lines
    for line in lines:
        assert line.count(b"\n") == 1 and len(line.decode().splitlines()) == 1
        assert isinstance(json.loads(line), dict)


@given(st.text())
def test_texts_come_back_as_they_were(text: str) -> None:
    assert json.loads(ollama_line(Token(text), OPENING))["message"]["content"] == text
    assert json.loads(gemini_line(Token(text), OPENING)) == {"response": text}
    assert json.loads(ollama_line(Failed(text), OPENING)) == {"error": text}
    assert json.loads(gemini_line(Failed(text), OPENING)) == {"response": text, "error": text}


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\x85", "\n", "\r", "\x0b", "\x1c"])
def test_nothing_inside_a_line_looks_like_its_end(separator: str) -> None:
    line = encode_line({"text": f"a{separator}b"}).decode()
    assert line.splitlines() == [line.rstrip("\n")]
    assert json.loads(line) == {"text": f"a{separator}b"}


def test_letters_stay_letters_and_half_a_character_becomes_a_question_mark() -> None:
    assert encode_line({"text": "ação 😀"}) == '{"text":"ação 😀"}\n'.encode()
    assert encode_line({"text": "caf\udce9"}) == b'{"text":"caf?"}\n'


def test_a_line_of_the_model_is_passed_on_untouched() -> None:
    upstream = '{"done" : false,"message":{"content":"o\u2028lá", "role":"assistant"}, "x":1}'.encode()
    assert ollama_line(Token("olá", upstream), OPENING) == upstream + b"\n"
    assert gemini_line(Token("olá", upstream), OPENING) == encode_line({"response": "olá"})


def test_checks_join_the_line_of_the_model() -> None:
    upstream = '{"model":"x","message":{"content":"olá."},"done":false}'
    for end in ("", " ", "\r"):
        line = ollama_line(Token("olá.", (upstream + end).encode(), (Check(0, 4, True),)), OPENING)
        assert json.loads(line) == json.loads(upstream) | {"checks": [{"start": 0, "end": 4, "supported": True}]}
        assert line.startswith(upstream[:-1].encode()) and line.endswith(b"\n") and line.count(b"\n") == 1


def test_token_lines_have_what_readers_of_ollama_expect() -> None:
    line = json.loads(ollama_line(Token("olá"), Sources("llama", "", ())))
    assert set(line) == {"model", "created_at", "message", "done"}
    assert (line["model"], line["done"]) == ("llama", False)
    assert line["message"] == {"role": "assistant", "content": "olá"}
    assert line["created_at"].endswith("Z") and line["created_at"][10] == "T"


def test_the_first_line_describes_the_sources() -> None:
    line = json.loads(ollama_line(OPENING, OPENING))
    assert (line["query"], line["rewritten_by"], line["language"]) == ("asked", "rule", "pt")
    [source, second] = line["sources"]
    assert source == {
        "n": 1,
        "document": "d" * 64,
        "name": "guia.pdf",
        "title": "Guia",
        "page": 1,
        "score": 1,
        "text": "um",
        "chunk_id": "c0",
        "boxes": [],
        "parts": {},
        "joined": [],
        "format": "pdf",
        "unit": "page",
        "url": "",
    }
    assert (second["n"], second["score"], second["page"]) == (2, 0.9, 2)


@pytest.mark.parametrize("encode", [ollama_line, gemini_line])
def test_the_last_line_tells_how_it_was_made(encode: Any) -> None:
    usage = Usage("length", 10, 20, 30, 40, 50, 60)
    left_out = [replace(hit, parts={"words": 0.12345}) for hit in make_hits(["um", "dois"])]
    done = Done("m", usage, (1, 3), left_out, 4096, [SERVICE], 900, Timing(rewrite=1, search=2, first_token=3))
    line = json.loads(encode(done, OPENING))
    assert line["done"] is True and line["done_reason"] == "length"
    counts = ("prompt_eval_count", "eval_count", "total_duration", "load_duration", "prompt_eval_duration")
    assert [line[name] for name in (*counts, "eval_duration")] == [10, 20, 30, 40, 50, 60]
    assert (line["citations"], line["left_out"], line["num_ctx"]) == ([1, 3], 2, 4096)
    assert line["services"] == [{"name": "ollama", "host": "127.0.0.1", "local": True}]
    last_left_out = {"document": "d" * 64, "name": "guia.pdf", "page": 2, "unit": "page", "score": 0.9}
    last_left_out["chunk_id"] = "c1"
    assert line["passages_left_out"][1] == last_left_out
    durations = [line[f"{name}_duration"] for name in ("rewrite", "search", "first_token")]
    assert (line["prompt_tokens"], durations) == (900, [1, 2, 3])


def test_gemini_tells_the_sources_in_its_last_line() -> None:
    assert json.loads(gemini_line(OPENING, OPENING)) == {"response": ""}
    last = json.loads(gemini_line(Done("m", Usage(), (2,), (), 4096, [SERVICE]), OPENING))
    assert (last["response"], last["model"], last["query"], last["citations"]) == ("", "m", "asked", [2])
    assert [source["n"] for source in last["sources"]] == [1, 2]
