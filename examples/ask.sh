#!/bin/sh
# Asks with curl: prints the lines of the answer as they come.
#   examples/ask.sh "How do I add a PDF?"
# ACERVO_URL names another server, ACERVO_KEY a key for one with users.
set -eu
url=${ACERVO_URL:-http://localhost:8000}

# A JSON string: backslashes and quotes escaped, line breaks as spaces.
question=$(printf '%s' "$1" | tr '\n' ' ' | sed 's/\\/\\\\/g; s/"/\\"/g')

curl --silent --show-error --fail-with-body --no-buffer \
    ${ACERVO_KEY:+--header "Authorization: Bearer $ACERVO_KEY"} \
    --header 'Content-Type: application/json' \
    --data "{\"prompt\": \"$question\"}" \
    "$url/"
