"""What Ollama sends, as bytes and bodies: the fake server's shapes, without its behaviour."""

import hashlib
import json
import math
import time
from dataclasses import dataclass
from typing import Any

from aiohttp import web


@dataclass(frozen=True)
class FakeModel:
    """One model as `/api/tags` and `/api/show` tell of it."""

    name: str
    context_length: int = 131072
    embedding_length: int = 4096
    capabilities: tuple[str, ...] = ("completion", "tools")
    family: str = "llama"


BGE_M3 = FakeModel("bge-m3:latest", 8192, 1024, ("embedding",), "bert")
NOMIC = FakeModel("nomic-embed-text:latest", 2048, 768, ("embedding",), "nomic-bert")


def hashed_vector(text: str, dimension: int, normalised: bool) -> list[float]:
    """A bag of hashed words: the same text gives the same vector, similar texts similar ones."""
    vector = [0.0] * dimension
    for word in text.lower().split() or [""]:
        digest = hashlib.sha256(word.encode()).digest()
        for i in range(0, 16, 4):
            vector[int.from_bytes(digest[i : i + 4]) % dimension] += 1 if digest[16 + i] % 2 else -1
    if not any(vector):
        vector[0] = 1.0
    norm = math.sqrt(sum(x * x for x in vector)) if normalised else 0.5
    return [x / norm for x in vector]


def details(model: FakeModel) -> dict[str, Any]:
    return {"format": "gguf", "family": model.family, "parameter_size": "8B", "quantization_level": "Q4_K_M"}


def listing(model: FakeModel) -> dict[str, Any]:
    """One model in the answer of `/api/tags`."""
    digest = hashlib.sha256(repr(model).encode()).hexdigest()
    modified_at = "2025-06-01T12:00:00.123456789-03:00"
    head = {"name": model.name, "model": model.name, "modified_at": modified_at, "size": 4_920_753_328}
    return {**head, "digest": digest, "details": details(model)}


def refusal(kind: type[web.HTTPError], error: str) -> web.HTTPError:
    return kind(text=json.dumps({"error": error}), content_type="application/json")


def overflow(count: int, num_ctx: int) -> str:
    """Newer versions pass their runner's own JSON on, as a string."""
    message = f"request ({count} tokens) exceeds the available context size ({num_ctx} tokens), try increasing it"
    error = {"code": 400, "message": message, "type": "exceed_context_size_error"}
    return json.dumps({"error": {**error, "n_prompt_tokens": count, "n_ctx": num_ctx}})


def cut_tokens(text: str) -> list[str]:
    """Word-ish pieces that join to `text`; U+2028 stays inside one."""
    words = text.split(" ")
    return [word if i == 0 else f" {word}" for i, word in enumerate(words)] if text else []


def token_line(model: str, content: str = "", thinking: str = "") -> bytes:
    message = {"role": "assistant", "content": content} | ({"thinking": thinking} if thinking else {})
    return _dump({"model": model, "created_at": _now(), "message": message, "done": False})


def last_line(model: str, prompt_tokens: int, tokens: int, started: int) -> bytes:
    total = time.perf_counter_ns() - started
    counts = {"prompt_eval_count": prompt_tokens} if prompt_tokens else {}
    durations = {"load_duration": total // 10, "prompt_eval_duration": total // 5, "eval_duration": total // 2}
    head = {"model": model, "created_at": _now(), "message": {"role": "assistant", "content": ""}, "done": True}
    return _dump({**head, "done_reason": "stop", "total_duration": total, **durations, **counts, "eval_count": tokens})


def as_chunk(line: bytes) -> bytes:
    """As HTTP sends it where it is a chunk of its own."""
    return b"%x\r\n%b\r\n" % (len(line), line)


def _dump(part: dict[str, Any]) -> bytes:
    return json.dumps(part, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) + f".{time.time_ns() // 1000 % 1_000_000:06d}Z"
