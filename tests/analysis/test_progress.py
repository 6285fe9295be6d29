from pathlib import Path

import pytest
import study_folder as folder

from analysis.cells import over_seeds_cells
from analysis.findings import Findings, find
from analysis.reproduce import with_steps
from analysis.sources import open_source

TYPED = "python -m ablation.run -m reward=a,b seed=0,1,2"


def compared(
    study: Path, b_steps: int, status: str = "complete", target: int | None = None, typed: str = ""
) -> Findings:
    """Findings of arm a, complete at step 20, against arm b; a is far better in every seed."""
    for arm, steps in (("a", 20), ("b", b_steps)):
        for seed in range(3):
            of_b = {"status": status, "target": target or steps} if arm == "b" else {"target": 20}
            record = {"command": typed} if typed else {}
            folder.write_chain(study, arm, seed, folder.curve(arm, seed, steps), record=record, **of_b)
            chance = (0.8 if arm == "a" else 0.1) + 0.02 * seed
            for step in range(10, steps + 1, 5):
                folder.write_held_out(study, folder.held_out((arm, seed, step), "test", chance, tasks=200))
    return find(open_source(str(study)))


def test_chains_that_finished_the_same_steps_are_compared(tmp_path: Path) -> None:
    assert "a is better than b" in compared(tmp_path / "x", 20).answer[0]


def test_an_unfinished_chain_is_no_comparison_and_its_command_is_named(tmp_path: Path) -> None:
    found = compared(tmp_path / "x", 15, status="stopped", target=20, typed=TYPED)
    assert not any(c.claims for c in found.comparisons)
    assert {row[5:7] for row in over_seeds_cells(found).rows} == {("not a comparison", "–")}
    assert all("better" not in sentence for sentence in found.answer)
    assert (
        "not a comparison (not every chain has finished the 20 steps: b-s0 is stopped at step 15 of 20, "
        f"b-s1 is stopped at step 15 of 20, b-s2 is stopped at step 15 of 20; type `{TYPED}`)"
    ) in found.answer[0]
    assert any(f"b-s0 is stopped at step 15 of 20: `{TYPED}` continues it." in told for told in found.problems)


@pytest.mark.parametrize("status", ["running", "failed"])
def test_equally_unfinished_chains_and_unfinished_ones_at_their_last_step_are_no_comparison(
    tmp_path: Path, status: str
) -> None:
    found = compared(tmp_path / "x", 20, status=status)
    assert not any(c.claims for c in found.comparisons)
    assert f"b-s0 is {status} at step 20 of 20" in found.answer[0]


def test_chains_complete_at_different_steps_are_no_comparison_and_the_shorter_are_to_be_extended(
    tmp_path: Path,
) -> None:
    found = compared(tmp_path / "x", 40, typed=f"{TYPED} chain.steps=20")
    assert not any(c.claims for c in found.comparisons)
    assert "not every chain has finished the 40 steps: a-s0 is complete at step 20 of 20" in found.answer[0]
    assert f"type `{TYPED} chain.steps=40`" in found.answer[0]
    assert "b-s0" not in found.answer[0]


def test_without_a_kept_command_the_one_to_type_is_rebuilt_with_the_steps(tmp_path: Path) -> None:
    found = compared(tmp_path / "x", 15, status="stopped", target=20)
    assert "`python -m ablation.run -m study=x reward=b seed=0,1,2 chain.steps=20`" in found.answer[0]


def test_a_torn_last_row_of_a_complete_chain_makes_it_no_shorter(tmp_path: Path) -> None:
    compared(tmp_path / "x", 20)
    history = tmp_path / "x" / "b-s0" / "history.jsonl"
    history.write_text(history.read_text()[:-20])
    assert "a is better than b" in find(open_source(str(tmp_path / "x"))).answer[0]


def test_steps_replace_those_of_a_command_and_quotes_survive() -> None:
    typed = "python -m ablation.run 'arm=a b' chain.steps=20 seed=0"
    assert with_steps(typed, 80) == "python -m ablation.run 'arm=a b' seed=0 chain.steps=80"
