import nbformat
import pytest
from nbclient import NotebookClient

from tests.conftest import ROOT
from tests.e2e.conftest import Trained

pytestmark = pytest.mark.xdist_group("training")
NOTEBOOK = ROOT / "notebooks" / "compare_arms.ipynb"


@pytest.mark.training
def test_the_notebook_runs_top_to_bottom_on_a_study(study: Trained):
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(study.cwd)}}).execute()
    shown = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert sum("image/png" in output.get("data", {}) for output in shown) >= 4
    assert any("binary" in str(output) and "shaped" in str(output) for output in shown)


def test_the_notebook_is_stored_without_outputs():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert [cell.outputs for cell in notebook.cells if cell.cell_type == "code" and cell.outputs] == []
