from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from analysis.errors import AnalysisError
from analysis.publishing.facts import facts_of_time, repo_name
from analysis.publishing.folder import place
from analysis.publishing.shipment import Shipment, in_a_folder
from analysis.publishing.values import Value, nested, resolve
from analysis.publishing.weights import size
from analysis.sources.study import Chain, History, Study


def chain(arm: str) -> Chain:
    return Chain("demo", arm, 0, "id", "complete", 80, "rlimits", config={"tasks": {"name": "katas"}})


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        (475_904, "0.5M"),
        (30_000, "0.03M"),
        (999_000, "1M"),
        (4_600_000, "4.6M"),
        (494_032_768, "494M"),
        (1_720_574_976, "1.7B"),
        (4_022_468_096, "4B"),
        (8_190_735_360, "8B"),
        (999_900_000, "1B"),
    ],
)
def test_sizes_are_those_that_models_are_named_after(parameters: int, name: str) -> None:
    assert size(parameters) == name


def test_the_name_is_study_tasks_arm_step_size() -> None:
    assert repo_name(Shipment(chain("shaped"), 45), 8_190_735_360) == "demo-katas-shaped-45-8B"


def test_letters_that_the_hub_refuses_become_dashes() -> None:
    assert repo_name(Shipment(chain("shaped-lr=1e-4+x"), 45), 475_904) == "demo-katas-shaped-lr-1e-4-x-45-0.5M"


def test_a_new_folder_is_the_model_and_an_existing_one_holds_it(tmp_path: Path) -> None:
    assert place(str(tmp_path / "new"), tmp_path, "name") == tmp_path / "new"
    assert place(str(tmp_path), tmp_path, "name") == tmp_path / "name"
    assert place(None, tmp_path, "name") == tmp_path / "published" / "name"


def test_a_study_without_folders_is_refused() -> None:
    study = Study("demo", None, (chain("shaped"),), History(pd.DataFrame(), ()))
    with pytest.raises(AnalysisError, match="give runs/<study>"):
        in_a_folder(study)


def link(**changes: Any) -> dict[str, Any]:
    times = {"start": "2026-01-01T00:00:00+00:00", "end": "2026-01-01T01:30:00+00:00"}
    return times | {"provenance": {"gpus": ["NVIDIA H200", "NVIDIA H200"]}} | changes


def test_gpu_hours_are_hours_times_gpus_over_links() -> None:
    assert facts_of_time([link(), link()]) == {"wall_hours": 3.0, "gpu_hours": 6.0}


def test_gpu_hours_are_unknown_when_one_link_did_not_record_its_gpus() -> None:
    assert facts_of_time([link(), link(provenance={})]) == {"wall_hours": 3.0, "gpu_hours": None}


def test_hours_are_unknown_when_the_end_of_a_link_is_not_known() -> None:
    assert facts_of_time([link(), link(end=None)]) == {"wall_hours": None, "gpu_hours": None}


ROWS = [{"arm": "a", "seed": 0, "solved": 0.1}, {"arm": "a", "seed": 1, "solved": 0.2}]


def test_a_key_leads_through_fields_indices_and_rows() -> None:
    assert resolve({"links": [{"pid": 7}]}, ["links", 0, "pid"], "x") == 7
    assert resolve(ROWS, [{"arm": "a", "seed": 1}, "solved"], "x") == 0.2


@pytest.mark.parametrize("key", [[{"arm": "a"}, "solved"], [{"arm": "b"}, "solved"], [0, "nothing"], [5, "solved"]])
def test_a_key_that_leads_to_nothing_or_to_two_rows_is_an_error(key: list[Any]) -> None:
    with pytest.raises(AnalysisError, match="has nothing at"):
        resolve(ROWS, key, "x")


def test_names_with_dots_nest() -> None:
    value = Value("f", ("links", 0, "pid"), 7, "7")
    assert nested({"a.0.b": value}) == {"a": {"0": {"b": value}}}
    assert value.label == "links.pid"
