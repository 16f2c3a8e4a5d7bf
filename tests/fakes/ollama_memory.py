"""What Ollama holds in a GPU's memory: which models, with which window, and how often one has to be read from disk.

As its scheduler does it: a request for another `num_ctx` loads a model anew, OLLAMA_MAX_LOADED_MODELS puts
out the one that was used longest ago, and `keep_alive: 0` puts a model out after its answer.
"""

from typing import Any


class Memory:
    """`loads` are (model, num_ctx), in order; `resident` what is in memory now, the latest used last."""

    def __init__(self, max_loaded: int = 3) -> None:
        self.max_loaded = max_loaded
        self.loads: list[tuple[str, int]] = []
        self.resident: dict[str, int] = {}

    def use(self, model: str, body: dict[str, Any]) -> None:
        """A request for this model."""
        num_ctx = body.get("options", {}).get("num_ctx", 4096)
        if self.resident.pop(model, None) != num_ctx:
            self.loads.append((model, num_ctx))
        self.resident[model] = num_ctx
        if len(self.resident) > self.max_loaded:
            del self.resident[next(iter(self.resident))]
        if body.get("keep_alive") == 0:
            del self.resident[model]
