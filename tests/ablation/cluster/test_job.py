from pathlib import Path

import pytest

import ablation
from ablation import config as configuration
from ablation.cluster import job
from ablation.composing import compose_config
from ablation.training.chain import chain_dir, open_record, read_record, write_record
from ablation.training.checkpoints import candidate_dir

CODE = str(Path(ablation.__file__).parent)


def test_a_job_refuses_to_run_other_code_than_was_submitted(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        job.run(str(tmp_path / "submission-0.yaml"), "", str(tmp_path / "elsewhere" / "ablation"), 0, successor=False)
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert (
        f"the code in {tmp_path / 'elsewhere' / 'ablation'}, but here python finds {Path(ablation.__file__).parent}"
        in said
    )


def test_a_job_without_its_configuration_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        job.run(str(tmp_path / "submission-0.yaml"), "", CODE, 0, successor=False)
    assert "submission-0.yaml cannot be used" in capsys.readouterr().err


def test_a_successor_of_a_finished_chain_ends_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    config = compose_config([f"runs_dir={tmp_path}", "chain.steps=4", "chain.save_every=2"])
    config.arm = "binary"
    chain = chain_dir(config)
    for step in config.chain.save_grid:
        candidate_dir(chain, step).mkdir(parents=True)
    record = open_record(config)
    record.status = "complete"
    write_record(chain, record)
    configuration.save(config, tmp_path / "submission-0.yaml")
    monkeypatch.setenv("SLURM_JOB_ID", "12")
    monkeypatch.setenv(job.AUTOMATIC, "")  # so that what the job sets is taken back
    job.run(str(tmp_path / "submission-0.yaml"), "", CODE, 0, successor=True)
    assert "already complete with 4 steps" in capsys.readouterr().out
    assert read_record(chain).links == []
