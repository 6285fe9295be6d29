"""The tables that every number of a report can be traced to."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
from pyarrow import csv

from analysis.findings import Findings

HISTORY = "history.csv"


def csv_tables(f: Findings) -> dict[str, pd.DataFrame]:
    """{file name: table}; of a study without held-out scores and rollouts only what it has."""
    frame = f.study.history.frame
    last = frame.groupby(["arm", "seed"])["step"].max().to_dict()
    chains = pd.DataFrame(
        {
            "study": [c.study for c in f.study.chains],
            "arm": [c.arm for c in f.study.chains],
            "seed": [c.seed for c in f.study.chains],
            "run_id": [c.run_id for c in f.study.chains],
            "status": [c.status for c in f.study.chains],
            "steps": [last.get((c.arm, c.seed), 0) for c in f.study.chains],
            "target_steps": [c.target_steps for c in f.study.chains],
            "links": [len(c.links) for c in f.study.chains],
            "checkpoints": [len(c.saved_steps) for c in f.study.chains],
            "tier": [c.tier for c in f.study.chains],
        }
    )
    tables = {
        HISTORY: frame,
        "chains.csv": chains,
        "differing.csv": f.differences.table,
        "cost.csv": f.cost,
        "picks.csv": f.picks_table,
        "rules.csv": f.rules_table,
        "curves.csv": f.curves.table,
        "comparison.csv": f.comparison,
        "held_out.csv": f.held_out,
        "tasks.csv": f.tasks,
        "rollouts_chains.csv": f.reasons_table,
    }
    tables |= {f"rollouts_{name}.csv": table for name, table in f.why._asdict().items() if not f.why.empty}
    return {name: table for name, table in tables.items() if len(table) or not f.foreign}


def write_csvs(f: Findings, out: Path) -> None:
    """Every table of `csv_tables` as a file in ``out``."""
    for name, table in csv_tables(f).items():
        if name == HISTORY:  # which may have millions of rows
            csv.write_csv(pa.Table.from_pandas(table, preserve_index=False), out / name)
        else:
            table.to_csv(out / name, index=False)
