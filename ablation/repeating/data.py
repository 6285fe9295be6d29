"""Whether a recorded chain's tasks and base model are at hand: others would make another experiment."""

from dataclasses import asdict
from pathlib import Path

from ablation.config import Config, ConfigError
from ablation.repeating.recorded import Recorded
from ablation.tasks.load import TaskSplits, load_tasks
from ablation.training.asking import how_asked
from ablation.training.base_model import base_model_path


def same_tasks(recorded: Recorded, config: Config) -> TaskSplits:
    """Returns the recorded tasks; raises ConfigError when they cannot be had, or others come out."""
    try:
        tasks = load_tasks(config.tasks)
    except ConfigError as error:
        if config.tasks.path is None:
            raise
        raise ConfigError(
            f"the recorded tasks cannot be loaded ({str(error).rstrip('.')}); say where they are now with "
            f"`python -m ablation.repeat {recorded.typed} tasks.path=…`, and tasks.manifest=… where it names a file."
        ) from error
    then = recorded.record.tasks_fingerprint
    if then not in ("", tasks.fingerprint):
        raise ConfigError(
            f"the chain was trained on the tasks {then}, but {config.tasks.path or 'this version'} makes "
            f"{tasks.fingerprint}, which would be another experiment; repeat it with the data and the code that it "
            "recorded, or train on these with `python -m ablation.run`."
        )
    return tasks


def same_base(recorded: Recorded, config: Config) -> str:
    """Returns folder or Hub id of the base model, which may have to be made yet.

    Raises ConfigError when a local folder is not here, or this version makes another model. The weights of a folder
    are not known by a hash, so they are taken at their word.
    """
    record, path = recorded.record, config.model.path
    local = record.origins.get("base") == "local folder" or (path or "").startswith(("/", ".", "~"))
    if path is not None and local and not (Path(path).expanduser() / "config.json").is_file():
        raise ConfigError(
            f"the base model was a local folder, and {path} holds no model here; say where it is now with "
            f"`python -m ablation.repeat {recorded.typed} model.path=…`."
        )
    base, then = base_model_path(config), Path(record.base_model).name
    made_here = recorded.config.model.path is None
    if made_here and then not in ("", Path(base).name):
        raise ConfigError(
            f"the chain was trained from the base model {then}, but now would be from {Path(base).name}, which would "
            "be another experiment; repeat it with the code that it recorded."
        )
    return base


def data_now(recorded: Recorded, tasks: TaskSplits, base: str) -> str:
    """Returns in a sentence what `same_tasks` and `same_base` found."""
    known = "as recorded" if recorded.record.tasks_fingerprint else "not recorded"
    of_base = "made by the recorded recipe" if recorded.config.model.path is None else "taken at its name"
    return f"The tasks ({tasks.fingerprint}) are {known}; the base model ({Path(base).name}) is {of_base}."


def audit_now(recorded: Recorded, tasks: TaskSplits) -> str:
    """Returns in a sentence that the audit says something else of the same tasks than it did; else nothing."""
    then, now = recorded.record.audit, asdict(tasks.audit)
    changed = [f"{key} was {then[key]} and is {now[key]}" for key in then if key in now and then[key] != now[key]]
    return f"The tasks are the same, but not what their audit says: {', '.join(changed)}." if changed else ""


def prompts_now(recorded: Recorded, config: Config) -> str:
    """Returns in a sentence that the model, which must be at hand, is asked in other tokens; else nothing."""
    then, now = recorded.record.prompts.get("fingerprint", ""), how_asked(config).fingerprint
    if then in ("", now):
        return ""
    return (
        f"The prompts are other tokens than the recorded ones ({then}, now {now}), as by another tokenizer or chat "
        "template: expect other samples from the first step on."
    )
