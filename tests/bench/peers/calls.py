"""The least that any relay costs: a token is waited for, read and sent on, by three system calls and nothing else.

It serves one question at a time and passes the model's whole answer on as it is. Prints its address.
"""

import os
import select
import socket
from urllib.parse import urlsplit

BODY = b'{"model":"llama3.1:8b","stream":true,"messages":[{"role":"user","content":"?"}]}'
HEAD = b"POST /api/chat HTTP/1.1\r\nHost: %b\r\nConnection: close\r\nContent-Type: application/json\r\n"
BUFFER = 1 << 16


def main() -> None:
    """Serve on a free port of loopback until the program is ended."""
    upstream = urlsplit(os.environ["OLLAMA_HOST"])
    request = HEAD % upstream.netloc.encode() + b"Content-Length: %d\r\n\r\n%b" % (len(BODY), BODY)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        print("http://{}:{}".format(*listening.getsockname()), flush=True)
        while True:
            reader, _ = listening.accept()
            with reader, socket.create_connection((upstream.hostname, upstream.port)) as model:
                if read_question(reader):
                    model.sendall(request)
                    pass_on(model, reader)


def read_question(reader: socket.socket) -> bool:
    """Whether one came, which ends as JSON does."""
    question = b""
    while not question.endswith(b"}"):
        if not (data := reader.recv(BUFFER)):
            return False
        question += data
    return True


def pass_on(model: socket.socket, reader: socket.socket) -> None:
    """All that the model sends, until it closes."""
    for end in (model, reader):
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    buffer = memoryview(bytearray(BUFFER))
    waiting = select.poll()
    waiting.register(model, select.POLLIN)
    while waiting.poll() and (size := model.recv_into(buffer)):
        reader.sendall(buffer[:size])


if __name__ == "__main__":
    main()
