"""A small server on the loopback that the real Hub client pushes to, and that records its calls.

It knows the calls that client 1.33 makes to create a model repo, to upload to it through LFS, to read it, and to
change who sees it. Anything else is answered with an error and kept in ``unknown``, which the fixture of a test
checks. ``faults`` make it fail on purpose.
"""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlparse

Answer = dict[str, Any]
TOKEN = "hf_" + "tEsT" * 9
DROP = 0  # instead of a status: the connection is closed in the middle of the body


@dataclass
class Blob:
    content: bytes
    lfs: bool

    @property
    def git_hash(self) -> str:
        return hashlib.sha1(b"blob %d\0" % len(self.content) + self.content).hexdigest()

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


@dataclass
class Repo:
    """A repo by its commits; each is all files of it."""

    private: bool
    commits: list[dict[str, Blob]]

    @property
    def files(self) -> dict[str, Blob]:
        return self.commits[-1]

    def sha(self, commit: int = -1) -> str:
        return f"{range(len(self.commits))[commit] + 1:040x}"


@dataclass
class Fault:
    """Answers ``times`` calls that match ``call``, after ``after`` of them, with ``status``."""

    call: str  # a pattern for "METHOD path"
    status: int
    times: int = 10**9
    after: int = 0
    said: str = "not now"


class Server:
    """Repos by name, the contents that were uploaded by their SHA-256, and the calls that came."""

    def __init__(self) -> None:
        self.repos: dict[str, Repo] = {}
        self.objects: dict[str, bytes] = {}
        self.parts: dict[str, dict[int, bytes]] = {}
        self.calls: list[str] = []
        self.unknown: list[str] = []
        self.shown: list[tuple[str, set[str]]] = []  # each state that anybody could see: repo, names of files
        self.faults: list[Fault] = []
        self.owners = {"lab"}
        self.part_size: int | None = None  # bytes of a part, of contents that are larger
        self.card_errors: list[str] = []  # what is wrong with any card
        self.before_answer: Callable[[str], None] = lambda call: None
        self.url = ""
        self.lock = threading.RLock()

    def environment(self) -> dict[str, str]:
        """What makes a client in another process push here."""
        return {"HF_ENDPOINT": self.url, "HF_TOKEN": TOKEN, "HF_HUB_DISABLE_XET": "1"}

    def made(self, name: str, private: bool, **files: bytes) -> Repo:
        """A repo as somebody made it earlier."""
        blobs = {file.replace("__", "."): Blob(content, False) for file, content in files.items()}
        repo = self.repos[name] = Repo(private, [{".gitattributes": Blob(b"*.safetensors filter=lfs", False)} | blobs])
        return repo

    def uploads(self) -> list[str]:
        """The contents that were sent, by their SHA-256, in order."""
        return [call.split("/")[2] for call in self.calls if call.startswith("PUT /objects/")]

    def fault(self, call: str) -> Fault | None:
        """The fault that this call meets, if any."""
        for fault in self.faults:
            if re.search(fault.call, call):
                if fault.after:
                    fault.after -= 1
                elif fault.times:
                    fault.times -= 1
                    return fault
        return None

    def show(self, name: str) -> None:
        repo = self.repos[name]
        if not repo.private:
            self.shown.append((name, set(repo.files)))

    def create(self, body: Answer) -> tuple[int, Answer]:
        name = f"{body['organization']}/{body['name']}"
        if body["organization"] not in self.owners:
            return 404, {"error": f"Namespace {body['organization']} not found"}
        if name in self.repos:
            return 409, {"error": "You already created this model repo"}
        private = body.get("visibility") == "private" or bool(body.get("private"))
        self.made(name, private)
        self.show(name)
        return 200, {"url": f"{self.url}/{name}", "name": name, "id": name}

    def info(self, name: str) -> Answer:
        repo = self.repos[name]
        siblings = [{"rfilename": file} for file in repo.files]
        return {"id": name, "modelId": name, "sha": repo.sha(), "private": repo.private, "siblings": siblings}

    def tree(self, name: str, revision: str) -> list[Answer]:
        repo = self.repos[name]
        commit = -1 if revision == "main" else int(revision, 16) - 1
        return [_entry(path, blob) for path, blob in repo.commits[commit].items()]

    def preupload(self, name: str, body: Answer) -> Answer:
        there = self.repos[name].files
        return {"files": [_mode(file, there.get(file["path"])) for file in body["files"]]}

    def batch(self, body: Answer) -> Answer:
        return {"transfer": "basic", "objects": [self._object(item["oid"], item["size"]) for item in body["objects"]]}

    def _object(self, oid: str, size: int) -> Answer:
        if oid in self.objects:
            return {"oid": oid, "size": size}
        verify = {"href": f"{self.url}/verify"}
        if self.part_size is None or size <= self.part_size:
            return {"oid": oid, "size": size, "actions": {"upload": {"href": f"{self.url}/objects/{oid}"}}}
        count = -(-size // self.part_size)
        header = {f"{i + 1:05d}": f"{self.url}/objects/{oid}/{i + 1}" for i in range(count)}
        upload = {"href": f"{self.url}/complete/{oid}", "header": header | {"chunk_size": str(self.part_size)}}
        return {"oid": oid, "size": size, "actions": {"upload": upload, "verify": verify}}

    def store(self, oid: str, part: str | None, content: bytes) -> int:
        """The status: contents must be what their names say."""
        if part:
            self.parts.setdefault(oid, {})[int(part)] = content
            return 200
        if hashlib.sha256(content).hexdigest() != oid:
            return 400
        self.objects[oid] = content
        return 200

    def commit(self, name: str, lines: list[Answer]) -> tuple[int, Answer]:
        repo = self.repos[name]
        files = dict(repo.files)
        for line in lines:
            value = line["value"]
            if line["key"] == "header" and value.get("parentCommit", repo.sha()) != repo.sha():
                return 412, {"error": "The parent commit is not the newest"}
            if line["key"] == "file":
                files[value["path"]] = Blob(base64.b64decode(value["content"]), False)
            elif line["key"] == "lfsFile":
                if value["oid"] not in self.objects:
                    return 400, {"error": f"{value['path']} was never uploaded"}
                files[value["path"]] = Blob(self.objects[value["oid"]], True)
        repo.commits.append(files)
        self.show(name)
        return 200, {"commitUrl": f"{self.url}/{name}/commit/{repo.sha()}", "commitOid": repo.sha()}

    def settings(self, name: str, body: Answer) -> Answer:
        repo = self.repos[name]
        repo.private = body["visibility"] == "private" if "visibility" in body else bool(body["private"])
        self.show(name)
        return {"private": repo.private}


def _mode(file: Answer, there: Blob | None) -> Answer:
    sample = base64.b64decode(file["sample"])
    lfs = file["path"].endswith(".safetensors") or b"\0" in sample  # the Hub takes no binary file into git itself
    oid = None if there is None else there.sha256 if lfs else there.git_hash
    return {"path": file["path"], "uploadMode": "lfs" if lfs else "regular", "shouldIgnore": False, "oid": oid}


def _entry(path: str, blob: Blob) -> Answer:
    entry: Answer = {"type": "file", "path": path, "size": len(blob.content), "oid": blob.git_hash}
    if blob.lfs:
        entry["lfs"] = {"oid": blob.sha256, "size": len(blob.content), "pointerSize": 130}
    return entry


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Server

    def handle(self) -> None:
        with suppress(ConnectionError):
            super().handle()

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self._meet()

    do_POST = do_PUT = do_GET  # noqa: N815

    def _meet(self) -> None:
        call = f"{self.command} {urlparse(self.path).path}"
        with self.hub.lock:
            self.hub.calls.append(call)
            fault = self.hub.fault(call)
        length = int(self.headers.get("Content-Length") or 0)
        if fault and fault.status == DROP:
            self.rfile.read(length // 2)
            self.close_connection = True
            return
        body = self._body(length)
        self.hub.before_answer(call)
        with self.hub.lock:
            status, answer = (fault.status, {"error": fault.said}) if fault else self._answer(call, body)
        self._send(status, answer)

    def _answer(self, call: str, body: bytes) -> tuple[int, Any]:
        hub = self.hub
        stored = re.fullmatch(r"PUT /objects/(\w+)(?:/(\d+))?", call)
        if stored:  # the place of contents is known by its secret address, not by a token
            return hub.store(stored[1], stored[2], body), {}
        complete = re.fullmatch(r"POST /complete/(\w+)", call)
        if complete:
            parts = [hub.parts[complete[1]][part["partNumber"]] for part in json.loads(body)["parts"]]
            return hub.store(complete[1], None, b"".join(parts)), {}
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return 401, {"error": "Invalid credentials in Authorization header"}
        if call == "POST /api/repos/create":
            return hub.create(json.loads(body))
        if call == "POST /api/validate-yaml":
            errors = [{"message": text} for text in hub.card_errors]
            return 400 if errors else 200, {"errors": errors, "warnings": []}
        if call == "POST /verify":
            return 200, {}
        named = re.fullmatch(r"(GET|POST|PUT) (?:/api/models)?/([\w.-]+/[\w.-]+?)(?:\.git)?(/.*)?", call)
        if named and named[2] in hub.repos:
            return self._of_repo(named[1], named[2], named[3] or "", body)
        if named and named[3] is None:
            return 404, {"error": "Repository not found"}
        hub.unknown.append(call)
        return 404, {"error": f"unknown call {call}"}

    def _of_repo(self, method: str, name: str, rest: str, body: bytes) -> tuple[int, Any]:
        hub = self.hub
        if (method, rest) == ("GET", ""):
            return 200, hub.info(name)
        if method == "GET" and rest.startswith("/tree/"):
            return 200, hub.tree(name, rest.removeprefix("/tree/"))
        if (method, rest) == ("POST", "/preupload/main"):
            return 200, hub.preupload(name, json.loads(body))
        if (method, rest) == ("POST", "/info/lfs/objects/batch"):
            return 200, hub.batch(json.loads(body))
        if (method, rest) == ("POST", "/commit/main"):
            return hub.commit(name, [json.loads(line) for line in body.splitlines()])
        if (method, rest) == ("PUT", "/settings"):
            return 200, hub.settings(name, json.loads(body))
        hub.unknown.append(f"{method} {name}{rest}")
        return 404, {"error": "unknown call"}

    def _body(self, length: int) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(length)
        content = b""
        while size := int(self.rfile.readline(), 16):
            content += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return content

    def _send(self, status: int, content: Any) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", '"part"')
        if status == 404:
            self.send_header("X-Error-Code", "RepoNotFound" if self.command == "GET" else "NotFound")
        if status >= 400:
            self.send_header("X-Error-Message", content.get("error", ""))
        with suppress(ConnectionError):  # the client may be gone, as tests kill it
            self.end_headers()
            self.wfile.write(body)


@contextmanager
def serving() -> Iterator[Server]:
    """A server on a free port of the loopback, with no repo yet."""
    server = Server()
    handler = type("Handler", (_Handler,), {"hub": server})
    http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    http.daemon_threads = True
    server.url = f"http://127.0.0.1:{http.server_port}"
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()
