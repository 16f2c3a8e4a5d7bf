"""The index: putting documents in (`python database/main.py`) and finding their chunks again.

Every program of Acervo imports this package first, so here the libraries that would report to their
makers are told not to, before any of them is loaded: onnxruntime (from 1.29 on) and LangSmith.
"""

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
os.environ["LANGSMITH_TRACING"] = os.environ["LANGCHAIN_TRACING_V2"] = "false"
