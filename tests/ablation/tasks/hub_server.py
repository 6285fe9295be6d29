"""A stand-in for the Hub on the loopback interface: one data set, for the real client."""

import contextlib
import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

REPO = "org/some-tasks"
COMMIT = "a" * 40
REVISIONS = ("main", "v1", COMMIT)


class Hub:
    """A running server, and the paths that it was asked for."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.asked: list[str] = []
        self.broken: set[str] = set()  # files that it does not deliver


@contextlib.contextmanager
def hub_of(files: Mapping[str, bytes]) -> Iterator[Hub]:
    """Serves ``files`` as the data set ``REPO`` in each of ``REVISIONS``."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            hub.asked.append(f"{self.command} {path}")
            if path in [f"/api/datasets/{REPO}", *(f"/api/datasets/{REPO}/revision/{name}" for name in REVISIONS)]:
                self._answer(json.dumps({"id": REPO, "sha": COMMIT}).encode())
            elif path == f"/api/datasets/{REPO}/tree/{COMMIT}":
                listed = [
                    {"type": "file", "path": name, "size": len(data), "oid": _oid(data)} for name, data in files.items()
                ]
                self._answer(json.dumps(listed).encode())
            elif (name := path.removeprefix(f"/datasets/{REPO}/resolve/{COMMIT}/")) in files and name not in hub.broken:
                self._answer(files[name], ETag=f'"{_oid(files[name])}"')
            elif path.startswith(f"/datasets/{REPO}/"):
                self._answer(b"{}", 404, **{"X-Error-Code": "EntryNotFound"})
            else:
                known = path.startswith(f"/api/datasets/{REPO}/")
                self._answer(b"{}", 404, **{"X-Error-Code": "RevisionNotFound" if known else "RepoNotFound"})

        do_HEAD = do_GET  # noqa: N815

        def _answer(self, data: bytes, status: int = 200, **headers: str) -> None:
            self.send_response(status)
            for key, value in {"Content-Length": str(len(data)), "X-Repo-Commit": COMMIT, **headers}.items():
                self.send_header(key, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(data)

        def log_message(self, format: str, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub = Hub(f"http://127.0.0.1:{server.server_port}")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()


def _oid(data: bytes) -> str:
    return hashlib.sha1(data).hexdigest()
