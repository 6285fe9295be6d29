"""``python -m ablation.run``: train one chain, or with ``-m`` one for every arm and seed of a sweep.

``cluster=slurm`` submits them instead, ``plan=true`` says what they will take.
"""

import os
import sys

import hydra
from omegaconf import DictConfig

from ablation import sweep
from ablation.cluster.command import without_training
from ablation.composing import CONF_DIR, chain_config, report_config_errors, typed_command
from ablation.training.base_model import ensure_base_model
from ablation.training.supervisor import run_chain


@hydra.main(version_base="1.3", config_path=CONF_DIR, config_name="config")
def app(composed: DictConfig) -> None:
    """Composes, validates, and supervises the chain in a child process; or plans or submits it."""
    with sweep.recording() as outcome:
        config = chain_config(composed)
        outcome.begin(config)
        said = without_training([config], typed_command())
        if said is not None:
            print(said, flush=True)
            sys.exit()
        ensure_base_model(config)
        outcome.end(run_chain(config, typed_command()))


def main() -> None:
    """The console script."""
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # so that its errors reach us, to be said in a sentence
    with report_config_errors():
        app()


if __name__ == "__main__":
    # Sweeps send `app` to worker processes by name, which works only from the importable module.
    from ablation.run import main as imported_main

    imported_main()
