"""A model card from the table of values, and from nothing else: text with Hub metadata in front."""

import re
from collections.abc import Mapping
from typing import Any

from huggingface_hub.repocard_data import EvalResult, ModelCardData
from jinja2 import Environment, PackageLoader, StrictUndefined

from analysis.held_out import KS, SCORES
from analysis.publishing.said import OWN
from analysis.publishing.values import Value, nested

_NAMES = {"solved": "Solved rate", "pass_ratio": "Pass ratio"}
_PASS_AT = [f"pass_at_{k}" for k in KS]


def card(table: Mapping[str, Value]) -> str:
    """The whole README.md: YAML metadata that the Hub reads, then Markdown."""
    tree = nested(table)
    environment = Environment(
        loader=PackageLoader("analysis.publishing", "."),
        undefined=StrictUndefined,
        autoescape=False,  # Markdown, whose values come from the records of the same person
        trim_blocks=True,
        lstrip_blocks=True,
    )
    text = environment.get_template("card.md.j2").render(v=tree, own=_own(tree), own_name=OWN, pass_at=_PASS_AT)
    text = re.sub(r"\n{3,}", "\n\n", text).strip()
    return f"---\n{metadata(tree).to_yaml()}\n---\n\n{text}\n"


def metadata(v: Mapping[str, Any]) -> ModelCardData:
    """What the Hub indexes. A base or a task set has an id only when it was taken from the Hub."""
    base, tasks = v["base"], v["tasks"]
    on_hub = base["origin"].value == "hub"
    return ModelCardData(
        model_name=v["name"].shown,
        base_model=base["hub_id"].shown if on_hub else None,
        base_model_relation="finetune" if on_hub else None,
        datasets=[tasks["hub_id"].shown] if tasks["origin"].value == "hub" else None,
        language="code",  # the Hub's word for programming languages; which natural one prompts use is not recorded
        library_name="transformers",
        pipeline_tag="text-generation",
        tags=_tags(v),
        eval_results=_results(v),
    )


def _tags(v: Mapping[str, Any]) -> list[str]:
    made_here = ["base-model-made-locally"] if v["base"]["origin"].value == "made here" else []
    reward = [f"reward-{v['reward']['name']}"] if "name" in v.get("reward", {}) else []
    return ["reinforcement-learning", "grpo", "trl", "python", "reward-ablation", *reward, *made_here]


def _own(v: Mapping[str, Any]) -> Mapping[str, Value]:
    """The test scores of the published checkpoint."""
    row: Mapping[str, Value] = v["sampled"][OWN]
    return row


def _results(v: Mapping[str, Any]) -> list[EvalResult]:
    own = _own(v)
    tasks = v["tasks"]
    kind = {"hub": "", "made here": ", made by this project"}.get(tasks["origin"].value, ", a local task set")
    return [
        EvalResult(
            task_type="text-generation",
            task_name="Python functions, scored by executed tests",
            dataset_type=tasks["hub_id"].shown if "hub_id" in tasks else tasks["name"].shown,
            dataset_name=f"{tasks['name']}{kind}",
            dataset_split="test",
            metric_type=metric,
            metric_name=_NAMES.get(metric, metric.replace("pass_at_", "pass@")),
            metric_value=own[metric].value,
            metric_args=_arguments(own, metric),
        )
        for metric in (*SCORES, *_PASS_AT)
        if metric in own
    ]


def _arguments(own: Mapping[str, Value], metric: str) -> dict[str, Any]:
    error = own.get(f"{metric}_se")
    counts = {name: own[name].value for name in ("tasks", "samples")}
    return {**counts, "standard_error": error.value} if error else counts
