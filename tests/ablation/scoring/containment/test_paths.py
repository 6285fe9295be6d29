"""What of the file system is shown to a candidate."""

import sys
from pathlib import Path

import pytest

from ablation.scoring.containment import paths
from ablation.scoring.containment.bubblewrap import server_command
from ablation.scoring.containment.tiers import NONE, TIERS, SandboxError


def test_installed_packages_are_cut_out_of_the_library_and_the_rest_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = tmp_path / "lib"
    for name in ("python3.11/json", "python3.11/site-packages/torch", "python3/dist-packages", "x86_64"):
        (library / name).mkdir(parents=True)
    (library / "python3.11/os.py").touch()
    (library / "link").symlink_to(library / "python3.11")
    monkeypatch.setattr(paths, "roots", lambda: (library,))

    shown = {str(path.relative_to(library)) for path in paths.visible()}

    assert shown == {"python3.11/json", "python3.11/os.py", "x86_64"}


def test_this_project_is_cut_out_wherever_it_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "lib" / "elsewhere" / "ablation"
    package.mkdir(parents=True)
    monkeypatch.setattr(paths, "PACKAGE", package)

    assert paths.hidden([tmp_path / "lib"]) == (package,)


def test_no_root_holds_another() -> None:
    found = paths.roots()

    assert found
    assert not any(one in other.parents for one in found for other in found)


def test_relative_library_folders_are_no_roots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "libs").mkdir()
    monkeypatch.setenv("LD_LIBRARY_PATH", f":libs:{tmp_path / 'libs'}:/absent")

    found = paths.roots()

    assert tmp_path / "libs" in found
    assert tmp_path not in found


def test_a_chain_of_links_to_python_is_kept(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    real = tmp_path / "python3.11"
    real.touch()
    (tmp_path / "bin/python3").symlink_to("../python3.11")
    (tmp_path / "bin/python").symlink_to("python3")

    chain = [(target, str(link.relative_to(tmp_path))) for target, link in paths.links(tmp_path / "bin/python")]

    assert chain == [("python3", "bin/python"), ("../python3.11", "bin/python3")]


def test_without_bubblewrap_the_command_stays_as_it_is(tmp_path: Path) -> None:
    for tier in (*TIERS[1:], NONE):
        assert server_command(tier, ["python", "-c", "1"], [], tmp_path) == ["python", "-c", "1"]


def test_bubblewrap_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")

    with pytest.raises(SandboxError, match="install the package bubblewrap"):
        server_command(TIERS[0], [sys.executable], [], tmp_path)
