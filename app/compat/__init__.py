"""The languages of OpenAI's and Ollama's clients: what they ask to our question, our events to what they read.

Pure; `app.handlers.v1` and `app.handlers.ollama_api` are where they meet the server.
"""
