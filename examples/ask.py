"""Asks with nothing but Python: streams the answer, then says where each number leads.

    python examples/ask.py "How do I add a PDF?"

ACERVO_URL names another server, ACERVO_KEY a key for one with users.
"""

import json
import os
import sys
import urllib.request

URL = os.environ.get("ACERVO_URL", "http://localhost:8000")
KEY = os.environ.get("ACERVO_KEY", "")

headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {KEY}"} if KEY else {})
body = json.dumps({"prompt": sys.argv[1]}).encode()
with urllib.request.urlopen(urllib.request.Request(f"{URL}/", body, headers)) as answer:
    sources = {}
    for line in answer:  # one JSON object a line
        part = json.loads(line)
        if "error" in part:
            sys.exit(part["error"])
        sources |= {source["n"]: source for source in part.get("sources", [])}
        print(part["message"]["content"], end="", flush=True)
        if part["done"]:
            print("\n")
            for n in part["citations"]:
                print(f"[{n}] {sources[n]['name']}, {sources[n]['unit']} {sources[n]['page']}")
