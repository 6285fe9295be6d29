"""``tasks=harbor``: folders of Harbor's task folders."""

from collections.abc import Iterator

from ablation.config import TasksConfig
from ablation.tasks.harbor.folder import read_files
from ablation.tasks.harbor.task import INSTRUCTION, TEST_SH, make_task
from ablation.tasks.places import find_folders
from ablation.tasks.reading import Fault, Read, TaskError


def read_tasks(config: TasksConfig) -> Iterator[Read | Fault]:
    """The tasks of the folders at ``tasks.path``, in order of their names. Raises ConfigError."""
    for place in find_folders(config.path, (TEST_SH, INSTRUCTION)):
        try:
            files = read_files(place.path, place.within)
            yield make_task(place.name, place.path.name, files, config.max_timeout_s, config.slow_path)
        except TaskError as error:
            yield Fault(place.name, str(error))
