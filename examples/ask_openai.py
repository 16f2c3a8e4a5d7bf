"""Asks with the `openai` package: the documents are the model "acervo".

    python examples/ask_openai.py "How do I add a PDF?"

ACERVO_URL names another server, ACERVO_KEY a key for one with users.
"""

import os
import sys

from openai import OpenAI

URL = os.environ.get("ACERVO_URL", "http://localhost:8000")

with OpenAI(base_url=f"{URL}/v1", api_key=os.environ.get("ACERVO_KEY", "none")) as client:
    stream = client.chat.completions.create(
        model="acervo",
        messages=[{"role": "user", "content": sys.argv[1]}],
        stream=True,
        # What only Acervo knows: here, to name the places cited at the end of the text.
        extra_body={"acervo": {"footnotes": True}},
    )
    for chunk in stream:
        print(chunk.choices[0].delta.content or "", end="", flush=True)
print()
