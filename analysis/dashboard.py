"""``python -m analysis.dashboard wandb:ENTITY/PROJECT``: the W&B workspace of a project, as code.

Writes the workspace as json, without a network; ``--push`` also makes it a saved view of the project. Panels
are grouped by arm, with the mean over seeds and a band from the lowest seed to the highest. Rewards, the EMA
that picks among them, and held-out scores are shown as they were logged. Other curves are smoothed
exponentially with the weight of the same span, which equals pandas ``ewm(alpha=1 - weight, adjust=True)``:
W&B's own default weighs by the visible range of the axis.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablation import metrics
from analysis.ema import Ema
from analysis.errors import AnalysisError
from analysis.sources.wandb_errors import told

if TYPE_CHECKING:
    import wandb_workspaces.workspaces as ws

NAME = "Arms"
SMOOTHING = 1 - Ema().alpha  # weight between 0 and 1
SECTIONS = {
    "Reward (each arm on its own scale: heights of two arms say nothing)": (
        metrics.REWARD_EMA,
        metrics.REWARD_TRAIN,
    ),
    "Shared scores (the same scale in every arm)": (
        metrics.SOLVED,
        metrics.PASS_RATIO,
        metrics.ANY_SOLVED,
        metrics.EVAL_SOLVED,
        metrics.EVAL_PASS_RATIO,
    ),
    "Signal (share of groups that teach nothing)": (metrics.ZERO_STD_BINARY, metrics.ZERO_STD_SHAPED),
    "Health": (
        metrics.NO_CODE,
        metrics.SYNTAX_ERROR,
        metrics.TIMEOUT,
        metrics.CRASHED,
        metrics.VIOLATION,
        metrics.UNSUPPORTED,
        metrics.INFRASTRUCTURE,
        *(metrics.TRL_PREFIX + name for name in ("entropy", "kl", "grad_norm", "completions/mean_length")),
    ),
    "Timing": (
        metrics.TIME_STEP,
        metrics.TIME_GENERATE,
        metrics.TIME_SCORE,
        metrics.TIME_UPDATE,
        metrics.TIME_BETWEEN,
        metrics.PEAK_MEMORY_MB,
    ),
}
_AS_LOGGED = (metrics.REWARD_EMA, metrics.REWARD_TRAIN, metrics.EVAL_SOLVED, metrics.EVAL_PASS_RATIO)


def main(argv: Sequence[str] | None = None) -> int:
    """Write the workspace, push it when asked, and return 2, with one sentence, when that fails."""
    arguments = _arguments(argv)
    try:
        made = workspace(*_project(arguments.project))
        out = Path(arguments.out)
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(as_json(made), indent=2) + "\n", encoding="utf-8")
        print(out.as_posix())
        if arguments.push:
            print(push(made))
    except AnalysisError as error:
        print(f"analysis.dashboard: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"analysis.dashboard: {error}: name a file that can be written with --out FILE.", file=sys.stderr)
        return 2
    return 0


def workspace(entity: str, project: str) -> "ws.Workspace":
    """The workspace of a project, with a section for each of `SECTIONS`.

    Raises:
        AnalysisError: wandb-workspaces is not installed.
    """
    try:
        import wandb_workspaces.workspaces as ws
        from wandb_workspaces import expr
    except ImportError as error:
        raise AnalysisError(
            "wandb-workspaces is not installed: type `pip install -c constraints.txt -e '.[dashboard]'`."
        ) from error
    sections = [
        ws.Section(name=name, panels=[_panel(metric) for metric in of_section], is_open=index < 3)
        for index, (name, of_section) in enumerate(SECTIONS.items())
    ]
    return ws.Workspace(
        entity=entity,
        project=project,
        name=NAME,
        sections=sections,
        settings=ws.WorkspaceSettings(x_axis=metrics.STEP, smoothing_type="none", max_runs=100),
        runset_settings=ws.RunsetSettings(groupby=[expr.Metric("Group")]),
    )


def as_json(made: "ws.Workspace") -> dict[str, Any]:
    """What a server would be sent: entity, project, name and the view's specification."""
    view = made._to_model()
    spec = view.spec.model_dump(mode="json", by_alias=True, exclude_none=True)
    return {"entity": view.entity, "project": view.project, "name": view.display_name, "spec": spec}


def push(made: "ws.Workspace") -> str:
    """Save the workspace as a new view of its project and return its address.

    Raises:
        AnalysisError: the server cannot be reached or refuses it.
    """
    with told(f"The workspace was not saved to {made.entity}/{made.project}"):
        return str(made.save().url)


def _panel(metric: str) -> Any:
    from wandb_workspaces.reports.v2 import interface as wr

    as_logged = metric in _AS_LOGGED
    return wr.LinePlot(
        title=metric,
        x=metrics.STEP,
        y=[metric],
        smoothing_type="none" if as_logged else "exponential",
        smoothing_factor=None if as_logged else SMOOTHING,
        groupby="Group",
        groupby_aggfunc="mean",
        groupby_rangefunc="minmax",
        max_runs_to_show=100,
    )


def _project(source: str) -> tuple[str, str]:
    entity, _, project = source.removeprefix("wandb:").strip("/").partition("/")
    if not entity or not project or "/" in project:
        raise AnalysisError(f"{source} names no project where wandb:ENTITY/PROJECT is expected: type both names.")
    return entity, project


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m analysis.dashboard", description="The W&B workspace of a project.")
    parser.add_argument("project", metavar="wandb:ENTITY/PROJECT")
    parser.add_argument("--out", metavar="FILE", default="workspace.json", help="json of the workspace")
    parser.add_argument("--push", action="store_true", help="also save it as a view of the project (needs a network)")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
