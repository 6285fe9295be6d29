"""Paths of this machine in the files that are published: what each becomes, and where that was done."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from analysis.sources.study import Chain, Study

_TEXTS = (".csv", ".html", ".json", ".md", ".yaml", ".svg")
_VOCABULARIES = ("tokenizer.json", "vocab.json")  # tokens, not records: they stay as they are


class Replacement(NamedTuple):
    """A path of this machine, what stands for it in the published folder, and what it is."""

    path: str
    published: str
    what: str


def replacements(study: Study) -> list[Replacement]:
    """What the records of a study may name, longest first: its folder, runs, models and task sets here."""
    folder = study.folder or Path()
    found = {
        path: Replacement(path, f"runs/{study.name}", "the study's folder")
        for path in (folder.as_posix(), folder.absolute().as_posix(), folder.resolve().as_posix())
    }
    for root in (folder.absolute().parent, folder.resolve().parent):
        found.setdefault(root.as_posix(), Replacement(root.as_posix(), "runs", "the folder of studies"))
    for chain in study.chains:
        for replacement in _of_chain(chain):
            found.setdefault(replacement.path, replacement)
    # A relative name such as `demo` may be any word, so only what leads elsewhere is replaced.
    leading = [r for r in found.values() if r.path.startswith(("/", "~", "../"))]
    return sorted(leading, key=lambda r: (-len(r.path), r.path))


def _of_chain(chain: Chain) -> Iterable[Replacement]:
    base = Path(chain.base_model)
    if base.is_absolute() and base.parent.name == ".cache":
        yield Replacement(base.parent.parent.as_posix(), "runs", "the folder of studies")
    elif chain.base_model:
        yield Replacement(chain.base_model, f"local/{base.name}", "the base model's folder")
    yield Replacement(str(chain.config.get("runs_dir") or ""), "runs", "the folder of studies")
    for section, field in (("model", "path"), ("tasks", "path"), ("tasks", "manifest")):
        path = str((chain.config.get(section) or {}).get(field) or "")
        yield Replacement(path, f"local/{Path(path).name}", f"{section}.{field}")


def clean(folder: Path, replaced: Sequence[Replacement]) -> list[str]:
    """Replaces paths in every record below ``folder``, in place; one sentence a file and kind of path."""
    said: list[str] = []
    for path in sorted(path for path in folder.rglob("*") if path.suffix in _TEXTS and path.name not in _VOCABULARIES):
        text = path.read_text(encoding="utf-8")
        counts: dict[tuple[str, str], int] = {}
        for replacement in replaced:
            pattern = rf"(?<![\w.-]){re.escape(replacement.path)}(?![\w-])"
            text, count = re.subn(pattern, replacement.published.replace("\\", r"\\"), text)
            key = (replacement.what, replacement.published)
            counts[key] = counts.get(key, 0) + count
        if any(counts.values()):
            path.write_text(text, encoding="utf-8")
            said.extend(_sentences(path.relative_to(folder).as_posix(), counts))
    return said


def _sentences(file: str, counts: Mapping[tuple[str, str], int]) -> list[str]:
    return [
        f"{file}: {what} is written as {published} ({count} time{'s' if count > 1 else ''})."
        for (what, published), count in counts.items()
        if count
    ]
