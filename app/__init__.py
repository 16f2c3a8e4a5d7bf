"""The server: question → retrieve → prompt → model → NDJSON."""
