"""Sets on the Hub, fetched by the real client from a server on this machine."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from harbor_archives import folder_files, packed, write_rows
from hub_server import COMMIT, REPO, Hub, hub_of

from tests.conftest import ROOT

CHILD = """
import sys
from ablation.config import ConfigError, TasksConfig
from ablation.tasks.harbor import load, parquet
from ablation.tasks.reading import collect
loader = {"harbor": load.read_tasks, "harbor_parquet": parquet.read_tasks}[sys.argv[1]]
try:
    found = collect(loader(TasksConfig(sys.argv[1], 1, 1, 1, path=sys.argv[2])), strict=False)
    print(*[task.task_id for task in found.tasks], *found.left_out)
except ConfigError as error:
    print("error:", error)
"""


def loaded(cache: Path, hub: Hub, path: str, name: str = "harbor_parquet", **environment: str) -> str:
    """What a fresh process reads at ``path``, with its own cache."""
    ended = subprocess.run(
        [sys.executable, "-c", CHILD, name, path],
        env={**os.environ, "PYTHONPATH": str(ROOT), "HF_HOME": str(cache), "HF_ENDPOINT": hub.url, **environment},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, bytes]:
    scratch = tmp_path_factory.mktemp("files")
    folder = folder_files(scratch / "folders")
    made = {f"raw/double-0001/{name}": bytes(data) for name, data in folder.items()}
    for part in (1, 2):
        path = write_rows(scratch / f"{part}.parquet", [(f"t{part}", packed(folder))])
        made[f"data/train-{part}.parquet"] = path.read_bytes()
    return {**made, "README.md": b"# some tasks"}


@pytest.fixture
def hub(files) -> Iterator[Hub]:
    with hub_of(files) as running:
        yield running


def test_a_set_is_downloaded_once_and_read_without_a_network_after(tmp_path, hub):
    place = f"hf://datasets/{REPO}"
    assert loaded(tmp_path, hub, place) == "t1 t2"
    fetched = [path for path in hub.asked if "/resolve/" in path and path.startswith("GET")]
    assert sorted(path.rpartition("/")[2] for path in fetched) == ["train-1.parquet", "train-2.parquet"]
    hub.asked.clear()
    assert loaded(tmp_path, hub, place) == "t1 t2"
    assert not [path for path in hub.asked if "/resolve/" in path]
    hub.asked.clear()
    assert loaded(tmp_path, hub, place, HF_HUB_OFFLINE="1") == "t1 t2"
    assert hub.asked == []
    assert loaded(tmp_path, hub, f"{place}/data/*-2.parquet", HF_HUB_OFFLINE="1") == "t2"
    gone = Hub("http://127.0.0.1:9")  # nobody answers there
    assert loaded(tmp_path, gone, place) == "t1 t2"


def test_a_revision_and_a_glob_choose_files(tmp_path, hub):
    assert loaded(tmp_path, hub, f"hf://datasets/{REPO}@v1/data/*-2.parquet") == "t2"
    assert not [path for path in hub.asked if "train-1" in path]
    hub.asked.clear()
    assert loaded(tmp_path, hub, f"hf://datasets/{REPO}@{COMMIT}/data/*-2.parquet", HF_HUB_OFFLINE="1") == "t2"
    assert hub.asked == []


def test_task_folders_on_the_hub_are_read_through_the_links_of_the_cache(tmp_path, hub):
    assert loaded(tmp_path, hub, f"hf://datasets/{REPO}/raw/*", "harbor") == "double-0001"


def test_a_set_that_is_not_cached_whole_says_what_to_type_where_there_is_a_network(tmp_path, hub):
    place = f"hf://datasets/{REPO}@v1"
    typed = f"type `hf download --repo-type dataset {REPO} --revision v1 --include '*.parquet'`"
    said = loaded(tmp_path, hub, place, HF_HUB_OFFLINE="1")
    assert said.startswith(f"error: tasks.path={place} is not in the cache")
    assert typed in said
    hub.broken.add("data/train-2.parquet")  # the download breaks off
    assert typed in loaded(tmp_path, hub, place)
    assert typed in loaded(tmp_path, hub, place, HF_HUB_OFFLINE="1")


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("hf://datasets/org/other", "the Hub has no data set org/other that this account may read"),
        (f"hf://datasets/{REPO}@gone", "could not be fetched"),
        ("hf://models/org/other", "expected hf://datasets/ORG/NAME[@REVISION][/GLOB]"),
        (f"hf://datasets/{REPO}/nothing/*", "holds no file that can be read"),
    ],
)
def test_a_place_that_is_none_is_refused_in_a_sentence(tmp_path, hub, place, words):
    said = loaded(tmp_path, hub, place)
    assert said.startswith("error: ")
    assert words in said
    assert "\n" not in said
