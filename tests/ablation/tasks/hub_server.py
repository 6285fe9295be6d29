"""A stand-in for the Hub on the loopback interface: one data set or model, for the real client."""

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
def hub_of(files: Mapping[str, bytes], kind: str = "datasets") -> Iterator[Hub]:
    """Serves ``files`` as the data set (or, as ``kind``, one of the "models") ``REPO`` in each of ``REVISIONS``."""
    api = f"/api/{kind}/{REPO}"
    root = f"/{REPO}/" if kind == "models" else f"/{kind}/{REPO}/"

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            hub.asked.append(f"{self.command} {path}")
            if path in [api, *(f"{api}/revision/{name}" for name in REVISIONS)]:
                siblings = [{"rfilename": name} for name in files]
                self._answer(json.dumps({"id": REPO, "sha": COMMIT, "siblings": siblings}).encode())
            elif path == f"{api}/tree/{COMMIT}":
                listed = [
                    {"type": "file", "path": name, "size": len(data), "oid": _oid(data)} for name, data in files.items()
                ]
                self._answer(json.dumps(listed).encode())
            elif (name := _file_of(path, f"{root}resolve/")) in files and name not in hub.broken:
                self._answer(files[name], ETag=f'"{_oid(files[name])}"')
            elif path.startswith((root, *(f"{api}/tree/{name}/" for name in REVISIONS))):  # no such file or folder
                self._answer(b"{}", 404, **{"X-Error-Code": "EntryNotFound"})
            else:
                known = path.startswith(f"{api}/")
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


def _file_of(path: str, resolve: str) -> str:
    """The name of a file that is asked for at any revision; empty for anything else."""
    revision, _, name = path.removeprefix(resolve).partition("/")
    return name if path.startswith(resolve) and revision in REVISIONS else ""


def _oid(data: bytes) -> str:
    return hashlib.sha1(data).hexdigest()
