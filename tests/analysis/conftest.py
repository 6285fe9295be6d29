import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import wandb_server

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
