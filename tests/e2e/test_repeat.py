"""A published model's chain, trained again by one command to the last bit."""

import hashlib
import json
import shutil
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml

from ablation.provenance import ROOT, code_state, provenance
from ablation.tasks.manifest import read_manifest
from tests.conftest import command
from tests.e2e.commands import with_base
from tests.e2e.conftest import Trained
from tests.e2e.test_interruptions import assert_equal_chains

pytestmark = pytest.mark.xdist_group("training")


@pytest.fixture(scope="module")
def published(study: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shaped arm as a model folder; read only."""
    evaluated = command("ablation.evaluate", "runs/spine", cwd=study.cwd)
    assert evaluated.returncode == 0, evaluated.stdout + evaluated.stderr
    # Uncommitted changes of whoever runs this may hold what must not be published.
    own = tmp_path_factory.mktemp("own") / "runs" / "spine"
    shutil.copytree(study.folder, own, ignore=shutil.ignore_patterns("provenance"))
    out = tmp_path_factory.mktemp("models")
    ended = command("analysis.publish", str(own), "--arm", "shaped", "--out", str(out), cwd=study.cwd)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    [folder] = out.iterdir()
    return folder


@pytest.mark.long
@pytest.mark.training
def test_a_published_chain_is_trained_again_to_the_last_bit(study: Trained, published: Path, tmp_path: Path):
    cwd = with_base(study, tmp_path)
    ended = command("ablation.repeat", str(published), "study=again", cwd=cwd)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert_equal_chains(cwd / "runs" / "again" / "shaped-s0", study.folder / "shaped-s0")
    said = ended.stdout.splitlines()
    assert "Nothing differs that can change the result: on a CPU the histories must be equal to the last bit." in said
    assert said[-1].startswith("The histories are equal: all ")
    assert said[-1].endswith(" deterministic metrics at each of the 4 steps.")
    record = json.loads((cwd / "runs" / "again" / "shaped-s0" / "chain.json").read_text())
    assert record["command"] == f"python -m ablation.repeat {published} study=again"

    # The same command again trains nothing, and compares with whatever the folder says.
    other = Path(shutil.copytree(published, tmp_path / "other"))
    logs = other / "training_logs"
    lines = (logs / "history.csv").read_text().splitlines()
    changed = [line for line in lines if '"shaped",0,' in line and ',3,"score/solved",' in line]
    assert len(changed) == 1
    lines[lines.index(changed[0])] = changed[0].rpartition(",")[0] + ",0.75"
    (logs / "history.csv").write_text("\n".join(lines) + "\n")
    (logs / "chain.json").write_text((logs / "chain.json").read_text().replace(version("torch"), "2.0.1"))
    ended = command("ablation.repeat", str(other), "study=again", cwd=cwd)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ["torch", "2.0.1", version("torch"), "yes"] in [line.split() for line in ended.stdout.splitlines()]
    assert "already complete with 4 steps" in ended.stdout
    assert "The histories are not equal: they first differ at step 3 in 1 of " in ended.stdout
    assert "score/solved was 0.75 and is " in ended.stdout


@pytest.mark.training
def test_a_chain_records_where_it_came_from(study: Trained):
    folder = study.folder / "shaped-s0"
    record, config = (
        json.loads((folder / "chain.json").read_text()),
        yaml.safe_load((folder / "config.yaml").read_text()),
    )
    [link] = record["links"]
    assert link["provenance"] == json.loads(json.dumps(asdict(provenance())))  # commit, diff, Python, hardware
    sha256 = code_state(ROOT).diff_sha256
    assert [path.name for path in folder.glob("provenance/*")] == ([f"{sha256}.diff"] if sha256 else [])
    assert {name: link["versions"][name] for name in ("torch", "trl", "transformers")} == {
        name: version(name) for name in ("torch", "trl", "transformers")
    }
    assert (config["seed"], config["tasks"]["seed"], config["model"]["pretraining"]["seed"]) == (0, 0, 0)
    assert record["seed"] == 0
    accepted = json.dumps(dict(read_manifest(config["tasks"]["manifest"]).tasks), sort_keys=True)
    assert record["audit"]["fingerprint"] == hashlib.sha256(accepted.encode()).hexdigest()[:12]
    assert all(record[name] for name in ("tasks_fingerprint", "base_model", "tier", "scientific_hash", "command"))
    assert record["prompts"]["fingerprint"]
