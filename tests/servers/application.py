"""An application server as one writes it with what Python brings along: keep-alive, and a thread for
each connection.

Called with a port, a folder and a log. Files of the folder can be fetched. `POST /digest` answers with
the digest of the body. `GET /poll` waits until somebody sends `POST /event`, and answers with its body.
The log has client, method and path of each request.
"""

import hashlib
import http.server
import pathlib
import sys
import threading

PORT, FOLDER, LOG = int(sys.argv[1]), pathlib.Path(sys.argv[2]), open(sys.argv[3], "a", buffering=1)


class Events:
    """The last event, and those who wait for it."""

    def __init__(self):
        self.changed = threading.Condition()
        self.event = None

    def tell(self, event):
        with self.changed:
            self.event = event
            self.changed.notify_all()

    def wait(self):
        with self.changed:
            self.changed.wait_for(lambda: self.event is not None)
            return self.event


EVENTS = Events()


class Application(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body are two writes; without this the second waits for the client's acknowledgment.
    disable_nagle_algorithm = True

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        file = FOLDER / self.path.lstrip("/")
        if self.path == "/poll":
            self.answer(200, EVENTS.wait())
        elif file.is_file():
            self.answer(200, file.read_bytes())
        else:
            self.answer(404, b"")

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/event":
            EVENTS.tell(body)
            self.answer(200, b"")
        else:
            self.answer(200, hashlib.sha256(body).hexdigest().encode())

    def log_request(self, code="-", size="-"):
        # One write, so that lines of several threads are not mixed.
        LOG.write(f"{self.client_address[0]} {self.command} {self.path} {code:d}\n")


class Server(http.server.ThreadingHTTPServer):
    # With five, clients would have to try again.
    request_queue_size = 128


Server(("", PORT), Application).serve_forever()
