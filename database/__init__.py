"""The index: putting documents in (`python database/main.py`) and finding their chunks again."""
