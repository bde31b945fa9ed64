"""ClickHouse's HTTP interface before its engine: clickhouse-bridge.py PORT FOLDER. Prints `ready`. One query at a time."""

import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from urllib.parse import parse_qsl, urlsplit

from chdb import session

port, folder = int(sys.argv[1]), sys.argv[2]
engine = session.Session(folder)
lock = Lock()

# Of HTTP, or refused by the engine outside of a server.
NOT_SETTINGS = {"query", "database", "query_id", "session_id", "default_format", "wait_end_of_query", "role", "user", "password", "compress"}


class Bridge(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.answer(200, b"Ok.\n")

    def do_POST(self):
        if self.headers.get("transfer-encoding", "") == "chunked":
            body = b""
            while (size := int(self.rfile.readline().strip() or b"0", 16)) > 0:
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
        asked = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        text = "\n".join(part for part in (asked.get("query", ""), body.decode()) if part)
        values = {name[6:]: value for name, value in asked.items() if name.startswith("param_")}
        settings = {n: v for n, v in asked.items() if n not in NOT_SETTINGS and not n.startswith("param_")}
        try:
            with lock:
                database = asked.get("database", "default")
                if not text.startswith("CREATE DATABASE"):
                    engine.query(f"USE {database}")
                for name, value in settings.items():
                    engine.query(f"SET {name} = '{value}'")
                try:
                    result = engine.query(text, "TabSeparated", **({"params": values} if values else {})).bytes()
                finally:
                    if "insert_deduplication_token" in settings:
                        engine.query("SET insert_deduplication_token = ''")
            self.answer(200, bytes(result or b""))
        except Exception as error:  # What the engine says is the answer.
            self.answer(500, str(error).encode())

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.send_header("x-clickhouse-format", "JSONEachRow")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def end_with_parent():
    sys.stdin.read()
    os._exit(0)


Thread(target=end_with_parent, daemon=True).start()
server = ThreadingHTTPServer(("127.0.0.1", port), Bridge)
server.daemon_threads = True
print("ready", flush=True)
server.serve_forever()
