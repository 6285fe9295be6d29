from pathlib import Path

import pytest

import ablation
from ablation.cluster import job


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
    code = str(Path(ablation.__file__).parent)
    with pytest.raises(SystemExit):
        job.run(str(tmp_path / "submission-0.yaml"), "", code, 0, successor=False)
    assert "submission-0.yaml cannot be used" in capsys.readouterr().err
