from collections import Counter

import numpy as np

from ablation.training.sampling import StepSampler, derived_seed, prompts_of_step


def sampler(steps: int, accumulation: int = 1) -> StepSampler:
    return StepSampler(
        seed=3, steps=steps, prompts_per_step=4, num_generations=2, accumulation=accumulation, n_tasks=10
    )


def test_every_task_is_asked_once_before_one_is_asked_again():
    asked = [task for step in range(1, 6) for task in prompts_of_step(0, step, 4, 10)]
    assert sorted(asked[:10]) == list(range(10))
    assert sorted(asked[10:]) == list(range(10))
    assert asked[:10] != asked[10:]


def test_a_longer_chain_begins_with_the_prompts_of_a_shorter_one():
    short, long = list(sampler(3)), list(sampler(7))
    assert long[: len(short)] == short
    assert len(long) == len(sampler(7)) == 7 * 4 * 2


def test_a_batch_holds_whole_groups_and_is_repeated_for_every_accumulation_step():
    once, twice = list(sampler(2)), list(sampler(2, accumulation=2))
    assert set(Counter(once[:8]).values()) == {2}
    assert twice[:16] == once[:8] * 2
    assert len(twice) == len(sampler(2, accumulation=2))


def test_seeds_differ_by_every_part_and_repeat_for_equal_ones():
    seeds = {derived_seed("sampling", seed, step) for seed in range(20) for step in range(50)}
    assert len(seeds) == 1000
    assert derived_seed("sampling", 1, 12) != derived_seed("sampling", 11, 2)
    assert derived_seed("sampling", 4, 2) == derived_seed("sampling", 4, 2)


def test_different_chain_seeds_ask_in_different_orders():
    orders = {tuple(prompts_of_step(seed, 1, 8, 400)) for seed in range(10)}
    assert len(orders) == 10
    assert np.unique([len(set(order)) for order in orders]).tolist() == [8]
