"""What a request may hold, and what a wrong one is told."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import BadRequest
from app.wire import MAX_FILTERED, MAX_HISTORY, MAX_TOLD, parse_ask
from database.documents import Filters

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


def parse(**fields: Any) -> Any:
    return parse_ask(json.dumps({"prompt": "Why?", **fields}).encode())


def test_the_original_request() -> None:
    asked = parse_ask(b'{"prompt": " Why? ", "parametro": 0}')
    assert (asked.prompt, asked.turns, asked.filters.documents, asked.top_k) == ("Why?", [], [], None)


def test_filters_reach_the_search_as_they_came() -> None:
    fields = {"documents": ["d"], "languages": ["pt"], "first_page": 2, "last_page": 9}
    asked = parse(filters={**fields, "added_from": 1.5, "added_until": 2})
    assert asked.filters.read() == Filters(("d",), ("pt",), 2, 9, 1.5, 2.0)
    assert parse().filters.read() == Filters()


@given(JSON)
def test_parametro_and_unknown_fields_are_ignored(value: Any) -> None:
    assert parse(parametro=value, temperature=value).prompt == "Why?"


@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_whatever_comes_is_parsed_or_refused(body: bytes) -> None:
    try:
        assert parse_ask(body).prompt.strip()
    except BadRequest as error:
        assert str(error).startswith('Send JSON such as {"prompt": "a question"}.') and len(str(error)) < 2000


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "body: Invalid JSON"),
        (b"prompt=Why", "body: Invalid JSON"),
        (b'{"prompt": "Why?"', "body: Invalid JSON"),
        (b'{"prompt": "\xff"}', "body: Invalid JSON"),
        (b'{"prompt": "\\ud800"}', "body: Invalid JSON"),
        (b'["Why?"]', "body: Input should be an object"),
        (b"{}", "prompt: Field required"),
        (b'{"prompt": null}', "prompt: Input should be a valid string"),
        (b'{"prompt": 7}', "prompt: Input should be a valid string"),
        (b'{"prompt": ["Why?"]}', "prompt: Input should be a valid string"),
        (b'{"prompt": ""}', "prompt: The question is empty"),
        (b'{"prompt": " \\n\\u00a0"}', "prompt: The question is empty"),
        (b'{"prompt": "?", "top_k": 0}', "top_k: Input should be greater"),
        (b'{"prompt": "?", "top_k": 51}', "top_k: Input should be less"),
        (b'{"prompt": "?", "top_k": "6"}', "top_k: Input should be a valid integer"),
        (b'{"prompt": "?", "top_k": true}', "top_k: Input should be a valid integer"),
        (b'{"prompt": "?", "filters": {"first_page": -1}}', "filters.first_page: Input should be greater"),
        (b'{"prompt": "?", "filters": {"last_page": "9"}}', "filters.last_page: Input should be a valid integer"),
        (b'{"prompt": "?", "filters": {"added_from": 1e999}}', "filters.added_from: Input should be a finite number"),
        (b'{"prompt": "?", "filters": {"languages": "pt"}}', "filters.languages: Input should be a valid array"),
        (b'{"prompt": "?", "rewrite": 1}', "rewrite: Input should be a valid boolean"),
        (b'{"prompt": "?", "model": 1}', "model: Input should be a valid string"),
        (b'{"prompt": "?", "filters": []}', "filters: Input should be an object"),
        (b'{"prompt": "?", "filters": {"documents": "a"}}', "filters.documents: Input should be a valid array"),
        (b'{"prompt": "?", "history": [{"role": "system", "content": ""}]}', "history.0.role: Input should be 'user'"),
        (b'{"prompt": "?", "history": [{"role": "user"}]}', "history.0.content: Field required"),
        (b'{"prompt": 1, "top_k": 0}', "prompt: Input should be a valid string; top_k: Input should be greater"),
        (b'{"prompt": "?", "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "recursion limit"),
    ],
)
def test_what_is_wrong_is_named(body: bytes, told: str) -> None:
    with pytest.raises(BadRequest) as refused:
        parse_ask(body)
    assert told in str(refused.value)


def test_the_turns_keep_their_order_without_empty_ones() -> None:
    turns = [("user", "a"), ("assistant", " "), ("user", "b"), ("assistant", "c")]
    asked = parse(history=[{"role": role, "content": content, "sources": []} for role, content in turns])
    assert [(turn["role"], turn["content"]) for turn in asked.turns] == [turns[0], *turns[2:]]


@pytest.mark.parametrize(
    ("field", "item", "limit"),
    [("history", {"role": "user", "content": "x"}, MAX_HISTORY), ("documents", "id", MAX_FILTERED)],
)
def test_lists_are_limited(field: str, item: Any, limit: int) -> None:
    def wrap(items: list[Any]) -> dict[str, Any]:
        return {"filters": {"documents": items}} if field == "documents" else {field: items}

    assert parse(**wrap([item] * limit))
    with pytest.raises(BadRequest, match=f"{field}: List should have at most {limit} items"):
        parse(**wrap([item] * (limit + 1)))


def test_many_mistakes_make_a_short_message() -> None:
    with pytest.raises(BadRequest) as refused:
        parse(history=[{"role": "nobody"}] * MAX_HISTORY)
    assert f"history.2.role: Input should be 'user' or 'assistant'; and {2 * MAX_HISTORY - MAX_TOLD} more." in str(
        refused.value
    )
