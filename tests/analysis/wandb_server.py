"""A small server on the loopback that the real W&B client logs to and is read from, and that records its calls.

It knows the GraphQL operations of client 0.31 that the tests use, and the stream of a run's rows. Anything
else is answered with an error and kept in ``unknown``, which the fixture of a test checks.
"""

import base64
import gzip
import io
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlparse

import pyarrow as pa
import pyarrow.parquet as pq

ENTITY = "lab"
Answer = dict[str, Any]


@dataclass
class Stored:
    """One run as the server keeps it; ``rows`` by their line in the client's history file."""

    entity: str
    project: str
    name: str
    order: int
    display: str = ""
    group: str | None = None
    job_type: str | None = None
    tags: list[str] = field(default_factory=list)
    config: str = "{}"
    state: str = "running"
    summary: str = "{}"
    rows: dict[int, Answer] = field(default_factory=dict)
    beats: int = 0  # signs of life
    exported: bool = False  # whether its history is offered as a parquet file, as servers do with finished runs

    @property
    def id(self) -> str:
        return base64.b64encode(f"Run:v1:{self.name}:{self.project}:{self.entity}".encode()).decode()

    def between(self, low: int, high: int | None = None) -> list[Answer]:
        rows = sorted(self.rows.values(), key=lambda row: row["_step"])
        return [row for row in rows if row["_step"] >= low and (high is None or row["_step"] < high)]


class Server:
    """Runs by (entity, project, name), the calls that came, and how often to answer that there were too many."""

    def __init__(self) -> None:
        self.runs: dict[tuple[str, str, str], Stored] = {}
        self.calls: list[tuple[str, Answer]] = []
        self.unknown: list[str] = []
        self.views: list[Answer] = []
        self.refusals = 0  # so many calls are answered with 429
        self.failing: int | None = None  # the status that every call is answered with
        self.before_answer: Callable[[str, int], None] = lambda name, count: None  # the call, and how many there were
        self.url = ""
        self.lock = threading.RLock()

    def environment(self) -> dict[str, str]:
        """What makes a client log here."""
        return {"WANDB_MODE": "online", "WANDB_BASE_URL": self.url, "WANDB_API_KEY": "l" * 40, "WANDB_ENTITY": ENTITY}

    def operations(self) -> list[str]:
        return [name for name, _ in self.calls]

    def find(self, v: Answer) -> Stored | None:
        for run in self.runs.values():
            if v.get("id") == run.id:
                return run
        names = [v.get(key) for key in ("name", "run", "runName", "runId")]
        name = next((n for n in names if n), "")
        entity = v.get("entity") or v.get("entityName") or ENTITY
        return self.runs.get((entity, v.get("project") or v.get("projectName") or "", name))

    def graphql(self, operation: str, v: Answer) -> Answer | None:
        """The data of an answer; None when the operation is not known."""
        answer: Callable[[Answer], Answer] | None = getattr(self, f"_{operation}", None)
        return answer(v) if answer else None

    def stream(self, entity: str, project: str, name: str, body: Answer) -> Answer:
        run = self.runs[entity, project, name]
        run.beats += 1
        history = (body.get("files") or {}).get("wandb-history.jsonl")
        if history:
            rows = [json.loads(line) for line in history["content"]]
            run.rows |= {history["offset"] + index: row for index, row in enumerate(rows)}
        if body.get("complete"):
            run.state = "failed" if body.get("exitcode") else "finished"
        return {"limits": {}}

    def _Viewer(self, v: Answer) -> Answer:  # noqa: N802
        teams = {"edges": [{"node": {"name": ENTITY}}]}
        person = {"id": "VXNlcg==", "entity": ENTITY, "username": "u", "name": "u", "email": "u@x", "flags": "{}"}
        keys = {"edges": []}
        return {"viewer": person | {"admin": False, "deletedAt": None, "teams": teams, "apiKeys": keys}} | _NO_FEATURES

    _GetViewer = _Viewer

    def _GetDefaultEntity(self, v: Answer) -> Answer:  # noqa: N802
        return {"viewer": {"id": "VXNlcg==", "entity": ENTITY}}

    def _ServerFeaturesQuery(self, v: Answer) -> Answer:  # noqa: N802
        return _NO_FEATURES

    def _OrganizationCoreWeaveOrganizationID(self, v: Answer) -> Answer:  # noqa: N802
        return {"entity": {"organization": {"coreWeaveOrganizationId": None}}}

    def _UpsertBucket(self, v: Answer) -> Answer:  # noqa: N802
        run = self.find(v)
        new = run is None
        if run is None:
            key = (v.get("entity") or ENTITY, v.get("project") or "uncategorized", v["name"])
            run = self.runs[key] = Stored(*key, order=len(self.runs))
        run.state = "running"
        run.display = v.get("displayName") or run.display or run.name
        run.group = v.get("groupName") or run.group
        run.job_type = v.get("jobType") or run.job_type
        run.tags = v.get("tags") or run.tags
        run.config = v.get("config") or run.config
        run.summary = v.get("summaryMetrics") or run.summary
        return {"upsertBucket": {"bucket": _bucket(run), "inserted": new}}

    def _RunResumeStatus(self, v: Answer) -> Answer:  # noqa: N802
        run = self.find(v)
        model = {"id": "UA==", "name": v.get("project"), "entity": {"id": "RQ==", "name": ENTITY}, "bucket": None}
        if run:
            lines = {"historyLineCount": len(run.rows), "eventsLineCount": 0, "logLineCount": 0}
            tail = json.dumps([json.dumps(row) for row in run.between(0)[-1:]])
            more = {"summaryMetrics": run.summary, "historyTail": tail, "eventsTail": "[]", "tags": run.tags}
            model["bucket"] = _bucket(run) | lines | more | {"notes": None, "wandbConfig": json.dumps({"t": 1})}
        return {"model": model}

    def _RunStoppedStatus(self, v: Answer) -> Answer:  # noqa: N802
        return {"project": {"run": {"stopped": False}}}

    def _CreateRunFiles(self, v: Answer) -> Answer:  # noqa: N802
        files = [{"name": name, "uploadUrl": f"{self.url}/files/{name}"} for name in v["files"]]
        run = self.find(v)
        return {"createRunFiles": {"runID": run.id if run else "", "uploadHeaders": [], "files": files}}

    def _Runs(self, v: Answer) -> Answer:  # noqa: N802
        runs = [run for run in self.runs.values() if run.project == v["project"]]
        runs.sort(key=lambda run: run.order)
        first, count = int(v.get("cursor") or 0), v.get("perPage") or 50
        heavy = () if "...RunFragment" in v["query"] or "fragment RunFragment" in v["query"] else _HEAVY
        nodes = [{key: value for key, value in _full(run).items() if key not in heavy} for run in runs]
        page = [{"node": node, "cursor": str(first + i + 1)} for i, node in enumerate(nodes[first : first + count])]
        info = {"endCursor": str(first + len(page)), "hasNextPage": first + count < len(runs)}
        found = {"internalId": "1", "runCount": len(runs), "readOnly": False}
        return {"project": found | {"runs": {"edges": page, "pageInfo": info}}}

    _GetRuns = _Runs

    def _Run(self, v: Answer) -> Answer:  # noqa: N802
        run = self.find(v)
        return {"project": {"internalId": "1", "run": _full(run)} if run else None}

    def _RunHistoryKeys(self, v: Answer) -> Answer:  # noqa: N802
        run = self.find(v)
        return {"project": {"run": {"historyKeys": _keys(run)} if run else None}}

    def _RunParquetHistory(self, v: Answer) -> Answer:  # noqa: N802
        run = self.find(v)
        files = [f"{self.url}/export/{run.name}.parquet"] if run and run.exported else []
        return {
            "project": {"run": {"parquetHistory": {"parquetUrls": files, "liveData": [] if files else [{"_step": 0}]}}}
        }

    def export(self, name: str) -> bytes:
        """The rows of a run as a parquet file."""
        run = next(run for run in self.runs.values() if run.name == name)
        file = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(run.between(0)), file)
        return file.getvalue()

    def _HistoryPage(self, v: Answer) -> Answer:  # noqa: N802
        run = self.find(v)
        rows = run.between(v["minStep"], v["maxStep"]) if run else []
        return {"project": {"run": {"history": [json.dumps(row) for row in rows]}}}

    def _UpsertView2(self, v: Answer) -> Answer:  # noqa: N802
        self.views.append(v)
        return {"upsertView": {"view": {"id": "Vmlldw==", "name": v["name"]}, "inserted": True}}


_HEAVY = ("config", "summaryMetrics", "systemMetrics", "historyKeys")  # which a lazy list leaves for later
_NO_FEATURES: Answer = {"serverInfo": {"features": []}}


def _bucket(run: Stored) -> Answer:
    project = {"id": "UA==", "name": run.project, "internalId": "1", "entity": {"id": "RQ==", "name": run.entity}}
    names = {"id": run.id, "name": run.name, "displayName": run.display, "description": None, "sweepName": None}
    return names | {"config": run.config, "historyLineCount": len(run.rows), "project": project}


def _full(run: Stored) -> Answer:
    created = f"2026-01-01T00:00:{run.order:02d}Z"
    people = {"user": {"name": "u", "username": "u"}, "notes": None, "readOnly": False, "commit": None}
    about = {"tags": run.tags, "state": run.state, "group": run.group, "jobType": run.job_type, "projectId": "1"}
    heartbeat = f"2026-01-02T{run.beats // 3600:02d}:{run.beats // 60 % 60:02d}:{run.beats % 60:02d}Z"
    times = {"createdAt": created, "heartbeatAt": heartbeat, "stopped": False}
    data = {"systemMetrics": "{}", "summaryMetrics": run.summary, "historyKeys": _keys(run)}
    return _bucket(run) | about | people | times | data


def _keys(run: Stored) -> Answer:
    kinds = {"typeCounts": [{"type": "number", "count": len(run.rows)}], "monotonic": False}
    names = {name for row in run.rows.values() for name in row}
    last = max((row["_step"] for row in run.rows.values()), default=-1)
    return {"sets": [], "keys": dict.fromkeys(sorted(names), kinds), "lastStep": last}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_of_runs: Server

    def handle(self) -> None:
        with suppress(ConnectionError):
            super().handle()

    def log_message(self, *_: object) -> None:
        pass

    def do_PUT(self) -> None:
        self._body()
        self._answer({})

    def do_GET(self) -> None:
        export = re.fullmatch(r"/export/(.+)\.parquet", urlparse(self.path).path)
        if export:
            return self._send(self.server_of_runs.export(export[1]))
        self.server_of_runs.unknown.append(f"GET {self.path}")
        return self._answer({}, 404)

    def do_POST(self) -> None:
        server, content = self.server_of_runs, self._body()
        path = unquote(urlparse(self.path).path)
        with server.lock:
            if server.refusals:
                server.refusals -= 1
                server.calls.append(("429", {}))
                return self._answer({"error": "rate limit exceeded"}, 429)
            if server.failing:
                server.calls.append((str(server.failing), {}))
                return self._answer({"errors": [{"message": "not now"}]}, server.failing)
            if path == "/graphql":
                return self._graphql(server, json.loads(content))
            stream = re.fullmatch(r"/files/([^/]+)/([^/]+)/([^/]+)/file_stream", path)
            if stream:
                body = json.loads(content)
                server.calls.append(("file_stream", body))
                answer = server.stream(*stream.groups(), body)
                server.before_answer("file_stream", len(server.calls))
                return self._answer(answer)
            if path.startswith("/sdk/otel/"):  # the client's measurements of itself
                return self._answer({})
            server.unknown.append(f"POST {path}")
            return self._answer({}, 404)

    def _graphql(self, server: Server, body: Answer) -> None:
        query, variables = body.get("query", ""), body.get("variables") or {}
        named = re.search(r"(?:query|mutation)\s+(\w+)", query)
        operation = body.get("operationName") or (named[1] if named else query[:200])
        server.calls.append((operation, variables))
        data = server.graphql(operation, variables | {"query": query})
        server.before_answer(operation, len(server.calls))
        if data is None:
            server.unknown.append(f"{operation} {variables}")
            return self._answer({"data": None, "errors": [{"message": f"unknown operation {operation}"}]})
        return self._answer({"data": data})

    def _body(self) -> bytes:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        return gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body

    def _answer(self, content: Answer, code: int = 200) -> None:
        self._send(json.dumps(content).encode(), code)

    def _send(self, body: bytes, code: int = 200) -> None:
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        if code == 429:
            self.send_header("Retry-After", "1")
        with suppress(ConnectionError):  # the client may be gone, as tests kill it
            self.end_headers()
            self.wfile.write(body)


@contextmanager
def serving() -> Iterator[Server]:
    """A server on a free port of the loopback, with no run yet."""
    server = Server()
    handler = type("Handler", (_Handler,), {"server_of_runs": server})
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
