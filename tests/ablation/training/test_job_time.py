"""When a job ends, by what Slurm's variables and its command say."""

import os
import time
from pathlib import Path

import pytest

from ablation.training.job_time import JobTime, job_time, seconds_left


def left(environ: dict[str, str], time_min: float | None = None) -> float | None:
    return job_time(time_min, environ).left_s()


def squeue(folder: Path, answer: str, code: int = 0) -> str:
    """A search path on which ``squeue`` answers so; no Slurm runs here."""
    program = folder / "squeue"
    program.write_text(f'#!/bin/sh\n[ "$3" = 12 ] || exit 9\necho "{answer}"\nexit {code}\n')
    program.chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


def test_outside_of_slurm_the_configuration_counts_and_without_one_there_is_no_limit():
    assert left({}) is None
    assert left({}, 2.0) == pytest.approx(120, abs=1)


def test_the_end_that_slurm_gives_counts_more_than_the_configuration():
    environ = {"SLURM_JOB_ID": "12", "SLURM_JOB_END_TIME": str(int(time.time()) + 300)}
    assert left(environ, 2.0) == pytest.approx(300, abs=2)


@pytest.mark.parametrize(("answer", "seconds"), [("1-02:03:04", 93784), ("45:10", 2710), ("UNLIMITED", None)])
def test_an_older_slurm_is_asked(tmp_path, monkeypatch, answer, seconds):
    monkeypatch.setenv("PATH", squeue(tmp_path, answer))
    found = left({"SLURM_JOB_ID": "12"})
    assert found is None if seconds is None else found == pytest.approx(seconds, abs=2)
    assert seconds_left(answer) == seconds


def test_a_slurm_that_does_not_answer_is_a_warning_and_the_configuration_counts(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("PATH", squeue(tmp_path, "slurm_load_jobs error: Unable to contact slurm controller", 1))
    assert left({"SLURM_JOB_ID": "12"}, 2.0) == pytest.approx(120, abs=2)
    assert "Slurm does not say when job 12 ends" in caplog.text


def test_a_wall_clock_that_jumps_does_not_move_the_end(monkeypatch):
    job = job_time(2.0, {})
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 86400)
    assert job.left_s() == pytest.approx(120, abs=2)
    assert JobTime(0.0).left_s() is None
