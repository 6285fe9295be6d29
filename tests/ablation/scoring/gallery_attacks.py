"""The gallery: attacks on the verifier, one a file of ``gallery/``; see its README.md for their form."""

from pathlib import Path
from typing import NamedTuple

from gallery_tasks import TARGETS, Target, completion

GALLERY = Path(__file__).resolve().parent / "gallery"
SUFFIX = ".py.txt"


class Attack(NamedTuple):
    """``tries`` is what it is after, in one line; ``tasks`` are those that it is aimed at."""

    name: str
    tries: str
    tasks: tuple[str, ...]
    source: str

    @property
    def kind(self) -> str:
        """ "cheat", "frame" (a cheat at the frames of the line) or "hostile"."""
        return self.name.partition("_")[0]

    def on(self, target: Target) -> str:
        """The completion that attacks this task."""
        solution = f"SOLUTION = {target.task.reference!r}\n" if "SOLUTION" in self.source else ""
        return completion(target, solution + self.source)


def read_attack(path: Path) -> Attack:
    """The attack in ``path``; ValueError when it lacks its first line or is aimed at an unknown task."""
    text = path.read_text(encoding="utf-8")
    first, second = [*text.splitlines(), "", ""][:2]
    tasks = tuple(TARGETS)
    if second.startswith("# tasks:"):
        tasks = tuple(name.strip() for name in second.removeprefix("# tasks:").split(","))
    if not first.startswith("# ") or not set(tasks) <= set(TARGETS):
        raise ValueError(f"{path} lacks a first line '# what it tries', or is aimed at none of {', '.join(TARGETS)}.")
    line = (GALLERY / "line.txt").read_text(encoding="utf-8")
    return Attack(path.name.removesuffix(SUFFIX), first[2:], tasks, text.replace("\nLINE\n", f"\n{line}\n"))


def read_gallery() -> list[Attack]:
    """All attacks in the order of their names."""
    return [read_attack(path) for path in sorted(GALLERY.glob(f"*{SUFFIX}"))]
