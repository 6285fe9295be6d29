import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import model_hub
import psutil
import published_model
import pytest
import wandb_server

from analysis import publish

_PATIENCE_S = 20.0


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[wandb_server.Server]:
    """A server that this process reads from; a call that it does not know fails the test."""
    import wandb  # which takes a second

    with wandb_server.serving() as running:
        for name, value in running.environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("WANDB_CACHE_DIR", str(tmp_path / "cache"))
        end_client()  # an earlier test may have had it read another environment, with another server
        wandb.setup()
        yield running
        end_client()
        assert running.unknown == []


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """A tiny model's folder, and its number of weights."""
    folder = tmp_path_factory.mktemp("model")
    return folder, published_model.make_model(folder)


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory, model: tuple[Path, int]) -> Path:
    """A study that can be published; read only."""
    return published_model.write_study(tmp_path_factory.mktemp("home") / "runs" / "demo", model[0])


@pytest.fixture(scope="session")
def published(study: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shaped arm's model repo, with its default name, published from an absolute path; read only."""
    out = tmp_path_factory.mktemp("out")
    assert publish.main([str(study), "--arm", "shaped", "--out", str(out)]) == 0
    [folder] = out.iterdir()
    return folder


@pytest.fixture
def folder(published: Path, tmp_path: Path) -> Path:
    """A copy of the model repo that a test may change."""
    return Path(shutil.copytree(published, tmp_path / published.name))


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[model_hub.Server]:
    """A server that this process pushes to; a call that it does not know fails the test."""
    from huggingface_hub import constants

    with model_hub.serving() as running:
        monkeypatch.setattr(constants, "ENDPOINT", running.url)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)  # whose servers take no part in these tests
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
        monkeypatch.setenv("HF_TOKEN", model_hub.TOKEN)
        yield running
        assert running.unknown == []


def end_client() -> None:
    """Ends the W&B process of this one, which now and then never ends by itself."""
    import wandb

    ending = threading.Thread(target=wandb.teardown, daemon=True)
    ending.start()
    ending.join(_PATIENCE_S)
    if ending.is_alive():
        for child in psutil.Process().children():
            if "wandb-core" in " ".join(child.cmdline()):
                child.kill()
        ending.join(_PATIENCE_S)
    assert not ending.is_alive()
