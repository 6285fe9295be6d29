"""Findings from the text of one task, without running it."""

import ast
import re
import sys
from collections.abc import Iterator
from importlib.machinery import PathFinder
from pathlib import Path

from ablation.tasks.audit.findings import Finding
from ablation.tasks.audit.gold import copied
from ablation.tasks.audit.members import members_used
from ablation.tasks.audit.source import called_names, imports, names_used_of, parse, required_imports, top_level_names
from ablation.tasks.audit.values import values_given
from ablation.tasks.task import Task

NETWORK_CALLS = (
    *("urllib.request.urlopen", "urllib.request.urlretrieve", "http.client.HTTPConnection"),
    *("http.client.HTTPSConnection", "socket.create_connection", "socket.gethostbyname", "socket.getaddrinfo"),
    *("socket.socket", "asyncio.open_connection", "xmlrpc.client.ServerProxy", "smtplib.SMTP", "smtplib.SMTP_SSL"),
    *("ftplib.FTP", "ftplib.FTP_TLS", "imaplib.IMAP4", "imaplib.IMAP4_SSL", "poplib.POP3", "telnetlib.Telnet"),
    *("poplib.POP3_SSL", "nntplib.NNTP", "ssl.get_server_certificate", "socket.gethostbyaddr", "socket.getnameinfo"),
    *("urllib.request.build_opener", "smtplib.LMTP", "asyncio.start_server", "urllib.request.URLopener"),
)
_OF_DOCSTRINGS = ("doctest.testmod", "doctest.run_docstring_examples", "doctest.DocTestFinder")
NETWORK_PACKAGES = ("requests", "httpx", "aiohttp", "urllib3", "websocket", "websockets", "paramiko", "boto3", "pycurl")
_RUNNERS = ("subprocess.", "os.system", "os.popen")
_PROGRAMS = re.compile(r"\b(curl|wget|ssh|scp|nc|ping|pip install|git clone|apt-get)\b")
# With one of these in the tests, what looks like a call to the network is caught or answered on the spot.
_STAND_INS = re.compile(
    r"\b(mock|Mock|MagicMock|patch|monkeypatch|responses|http\.server|socketserver|localhost|127\.0\.0\.1)\b"
)


def text_findings(task: Task) -> list[Finding]:
    """What the text of prompt, tests and reference shows."""
    trees = [tree for tree in (parse(task.tests), parse(task.reference)) if tree]
    findings = [*_packages(task, trees), *_network(task, trees), *_unnamed(task)]
    if documented := sorted({name for name in called_names(trees[0]) if name in _OF_DOCSTRINGS}) if trees else []:
        findings.append(Finding("unsupported", f"{', '.join(documented)} sees no docstring of a candidate"))
    if task.reference is None:
        findings.append(Finding("no_reference", "nothing shows that the tests can be passed"))
    elif way := copied(task) or values_given(task):
        findings.append(Finding("gold_in_instruction", way))
    return findings


def _packages(task: Task, trees: list[ast.Module]) -> Iterator[Finding]:
    needed = {name.partition(".")[0] for tree in trees for name in required_imports(tree)}
    absent = sorted(name for name in needed - {task.module.partition(".")[0]} if not _installed(name))
    if absent:
        yield Finding("missing_package", f"{', '.join(absent)} cannot be imported here")


def _installed(name: str) -> bool:
    if name in sys.stdlib_module_names:
        return True
    # The folder that the audit was started in is no place that candidates import from.
    places = [place for place in sys.path if place and Path(place).resolve() != Path.cwd()]
    return PathFinder.find_spec(name, places) is not None


def _network(task: Task, trees: list[ast.Module]) -> Iterator[Finding]:
    """Calls of well-known network clients in tests or reference, unless the tests replace such calls.

    Read from the text, not seen by running: a call through another package is not found.
    """
    if _STAND_INS.search(task.tests):
        return
    imported = {name.partition(".")[0] for tree in trees for name in imports(tree)}
    called = {name for tree in trees for name in called_names(tree)}
    hits = {name for name in called if name in NETWORK_CALLS}
    hits |= {name for name in called if name.partition(".")[0] in imported.intersection(NETWORK_PACKAGES)}
    hits |= {program for tree in trees for program in _programs(tree)}
    if hits:
        yield Finding("needs_network", f"{', '.join(sorted(hits))} is called in the tests or the reference")


def _programs(tree: ast.Module) -> Iterator[str]:
    """Programs of the network that are started by name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith(_RUNNERS):
            texts = [n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
            yield from _PROGRAMS.findall(" ".join(texts))


def _unnamed(task: Task) -> Iterator[Finding]:
    """Names, members and keywords of the module that the tests use and the prompt never says."""
    tests = parse(task.tests)
    if tests is None:
        return
    used = names_used_of(task.module, tests, top_level_names(parse(task.reference)))
    unnamed = sorted(name for name in used if not re.search(rf"\b{re.escape(name)}\b", task.prompt))
    said = set(re.findall(r"\w+", task.prompt.lower()))
    unnamed += sorted(name for name in members_used(task) - used if name.lower() not in said)
    if unnamed:
        yield Finding("unnamed_api", f"the tests use {', '.join(unnamed)}, which the prompt never names")
