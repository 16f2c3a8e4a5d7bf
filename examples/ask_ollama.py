"""Asks with the `ollama` package: the documents are the model "acervo".

    python examples/ask_ollama.py "How do I add a PDF?"

ACERVO_URL names another server, ACERVO_KEY a key for one with users.
"""

import os
import sys

from ollama import Client

URL = os.environ.get("ACERVO_URL", "http://localhost:8000")
KEY = os.environ.get("ACERVO_KEY", "")

with Client(URL, headers={"Authorization": f"Bearer {KEY}"} if KEY else {}) as client:
    messages = [{"role": "user", "content": sys.argv[1]}]
    # The package sends no fields of its own but in `options`; there Acervo looks, too.
    for part in client.chat("acervo", messages, stream=True, options={"acervo": {"footnotes": True}}):
        print(part.message.content, end="", flush=True)
print()
