from collections.abc import Iterator
from pathlib import Path

import pytest
import wandb_server


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[wandb_server.Server]:
    """A server that this process reads from; a call that it does not know fails the test."""
    import wandb  # which takes a second

    with wandb_server.serving() as running:
        for name, value in running.environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("WANDB_CACHE_DIR", str(tmp_path / "cache"))
        wandb.teardown()  # an earlier test may have had it read another environment, with another server
        wandb.setup()
        yield running
        assert running.unknown == []
    wandb.teardown()
