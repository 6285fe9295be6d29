"""Published folders of a study, each loaded by plain transformers in a process of its own and evaluated once more.

    python benchmarks/reevaluate_published.py runs/demo/published

The test tasks of the recorded configuration, as many samples, other random numbers. Prints the solved rate and the pass
ratio beside those that the card was written from (``training_logs/held_out.csv``), and fails where they differ by more
than 1.96 standard errors of the difference, both errors clustered by task.
"""

import json
import math
import subprocess
import sys
from pathlib import Path

import pandas as pd

from analysis.statistics import clustered_se

SCORES = ("solved", "pass_ratio")
_SEED = 20_261


def sample(folder: Path) -> None:
    """Prints one JSON line a sample: task, solved, pass ratio."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from ablation import config as configuration
    from ablation.scoring.pool import ScoringPool, Submission
    from ablation.tasks.load import load_tasks
    from ablation.tasks.prompts import questions

    config = configuration.load(folder / "training_logs" / "config.yaml")
    model = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, padding_side="left")
    asked = questions(load_tasks(config.tasks).test, config.model.prompt, tokenizer)
    torch.manual_seed(_SEED)
    submissions = []
    for question in asked:
        read = torch.tensor([question.ids] * config.evaluation.samples)
        said = model.generate(
            input_ids=read,
            attention_mask=torch.ones_like(read),
            do_sample=True,
            temperature=config.sampling.temperature,
            top_k=config.sampling.top_k,
            top_p=config.sampling.top_p,
            max_new_tokens=config.sampling.max_completion_length,
            pad_token_id=tokenizer.pad_token_id,
            eos_token_id=tokenizer.eos_token_id,
        )
        texts = tokenizer.batch_decode(said[:, read.shape[1] :], skip_special_tokens=True)
        submissions += [Submission(question.task, text) for text in texts]
    with ScoringPool(1) as pool:
        for verdict in pool.score(submissions):
            print(json.dumps([verdict.task_id, float(bool(verdict.solved)), float(verdict.pass_ratio or 0.0)]))


def main(published: Path) -> int:
    failed = 0
    for folder in sorted(path for path in published.iterdir() if (path / "config.json").exists()):
        logs = folder / "training_logs"
        facts = json.loads((logs / "published.json").read_text())
        scores = pd.read_csv(logs / "held_out.csv")
        here = (scores["arm"] == facts["arm"]) & (scores["seed"] == facts["seed"]) & (scores["step"] == facts["step"])
        [card] = scores[here & (scores["split"] == "test") & (scores["mode"] == "sampled")].to_dict("records")
        command = [sys.executable, __file__, "--sample", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        rows = pd.DataFrame([json.loads(line) for line in done.stdout.splitlines()], columns=["task", *SCORES])
        for name in SCORES:
            again, error = float(rows[name].mean()), clustered_se(rows[name].tolist(), rows["task"].tolist())
            allowed = 1.96 * math.hypot(error, card[f"{name}_se"])
            holds = abs(again - card[name]) <= allowed
            failed += not holds
            print(
                f"{folder.name}: {name} {card[name]:.4f} on the card, {again:.4f} again over {len(rows)} samples; "
                f"difference {again - card[name]:+.4f}, allowed {allowed:.4f}: {'holds' if holds else 'DOES NOT HOLD'}",
                flush=True,
            )
    return 1 if failed else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--sample"]:
        sample(Path(sys.argv[2]))
    else:
        sys.exit(main(Path(sys.argv[1])))
