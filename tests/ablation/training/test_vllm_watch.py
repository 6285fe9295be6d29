"""What is done about log-probabilities of vLLM that are not the trainer's; with vLLM itself: tests/vllm."""

import logging
import math

import pytest

from ablation.config import GenerationConfig
from ablation.training.vllm import LOGP_DIFFERENCE, SeededClient, WeightsWatch


def watch() -> WeightsWatch:
    return WeightsWatch(GenerationConfig("vllm_colocate", warn_logp_difference=0.1, stop_logp_difference=0.5))


def test_a_small_difference_and_none_at_all_are_silent(caplog: pytest.LogCaptureFixture):
    for logged in ({LOGP_DIFFERENCE: 0.02}, {}):
        watch().look(1, logged)
    assert caplog.records == []


def test_a_larger_one_warns_once(caplog: pytest.LogCaptureFixture):
    looking = watch()
    with caplog.at_level(logging.WARNING):
        looking.look(3, {LOGP_DIFFERENCE: 0.2})
        looking.look(4, {LOGP_DIFFERENCE: 0.3})
    assert [record.getMessage()[:60] for record in caplog.records] == [
        "vLLM's log-probabilities differ from the trainer's by 0.2 on"
    ]


@pytest.mark.parametrize("difference", [0.6, math.inf, math.nan])
def test_a_large_one_stops(difference: float):
    with pytest.raises(RuntimeError, match=r"at step 5, more than generation\.stop_logp_difference=0\.5"):
        watch().look(5, {LOGP_DIFFERENCE: difference})


class Answering:
    """A client whose answers say what it was asked."""

    def generate(self, prompts: list, n: int, generation_kwargs: dict) -> dict:
        return {
            "prompt_ids": prompts,
            "completion_ids": [[generation_kwargs["seed"], place] for place in range(n)],
            "logprobs": None,
        }


def test_every_prompt_of_a_step_has_a_seed_of_its_own_and_every_step_others():
    step = 1
    client = SeededClient(Answering(), lambda: step)
    first = client.generate([[7], [7], [8]], n=2)
    assert first["prompt_ids"] == [[7], [7], [8]]
    assert [place for _, place in first["completion_ids"]] == [0, 1] * 3
    seeds = [seed for seed, _ in first["completion_ids"]][::2]
    assert len(set(seeds)) == 3
    assert client.generate([[7], [7], [8]], n=2) == first
    step = 2
    others = [seed for seed, _ in client.generate([[7], [7], [8]], n=2)["completion_ids"]]
    assert not {*others} & {*seeds}
    assert first["logprobs"] is None
