"""The index: putting documents in (`python database/main.py`) and finding their chunks again."""

import os

# onnxruntime 1.29 and later reports every use to its makers unless this is set before it starts. The
# embedder and the PDF reader run on it, in this process and in its children, which inherit this.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
