"""A model file of one's own imports what lies beside it, and takes it along; old imports are explained."""

from __future__ import annotations

import shutil
import sys
import zipfile
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.families import probe as shipped_probe
from tuning.config import validate_config
from tuning.errors import ConfigError
from tuning.families import resolve_families
from tuning.models import Task, load_family_file, own_files
from tuning.models.errors import ModelError
from tuning.study import set_up
from tuning.submission import pack_study

PROBE = Path(shipped_probe.__file__).read_text()
SPACE = (ROOT / "tests" / "families" / "probe.yaml").read_text()
ABALONE = ROOT / "examples" / "data" / "abalone.csv"
OWN = 'raise RuntimeError("a file of the person\'s own was imported")\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project with names as many have them, none of which a model asks for by accident."""
    for name in ("data", "models", "yaml", "torch", "numpy"):
        (tmp_path / f"{name}.py").write_text(OWN)
    return tmp_path


def _model(folder: Path, *imports: str, name: str = "mine") -> Path:
    path = folder / f"{name}.py"
    path.write_text(
        PROBE.replace("import json\n", "import json\n" + "".join(f"{line}\n" for line in imports))
    )
    path.with_suffix(".yaml").write_text(SPACE)
    return path


def test_it_imports_what_lies_beside_it_at_any_depth(folder: Path) -> None:
    (folder / "layers.py").write_text(
        "from . import sizes\nfrom .blocks import WIDTH\nwidth = WIDTH + sizes.MORE\n"
    )
    (folder / "blocks.py").write_text("import numpy\nWIDTH = int(numpy.float64(3))\n")
    (folder / "sizes.py").write_text("from .blocks import WIDTH\nMORE = 2 * WIDTH\n")
    path = _model(folder, "from .layers import width", "assert width == 9")
    assert load_family_file(path).__name__ == "Probe"
    assert {file.name for file in own_files(path)} == {"mine.py", "layers.py", "blocks.py", "sizes.py"}
    assert str(folder) not in sys.path


def test_a_change_of_what_lies_beside_it_is_seen_and_others_of_that_name_are_not(folder: Path) -> None:
    other = folder / "other"
    other.mkdir()
    for place, width in ((folder, 1), (other, 2)):
        (place / "layers.py").write_text(f"WIDTH = {width}\n")
        load_family_file(_model(place, "from .layers import WIDTH", f"assert WIDTH == {width}"))
    (folder / "layers.py").write_text("WIDTH = 1234\n")
    load_family_file(_model(folder, "from .layers import WIDTH", "assert WIDTH == 1234"))


@pytest.mark.parametrize(
    ("line", "instead"),
    [
        ("from models import Model, Params", "from tuning.models import Model, Params"),
        ("from models import Table as Rows", "from tuning.models import Table as Rows"),
        ("from models._torch import TorchModel", "from tuning.models._torch import TorchModel"),
        ("from layers import width", "from .layers import width"),
        ("import layers", "from . import layers"),
    ],
)
def test_an_import_that_cannot_work_gets_the_line_to_write(line: str, instead: str, folder: Path) -> None:
    (folder / "layers.py").write_text("width = 3\n")
    if "_torch" in line:  # Else a module of the person's own may be meant.
        (folder / "models.py").unlink()
    path = _model(folder, line)
    with pytest.raises(ConfigError) as refused:
        resolve_families([str(path)], Task.REGRESSION, {})
    assert str(refused.value).startswith(f"models: {path}, line ")
    assert str(refused.value).endswith(f"write `{instead}`.")


@pytest.mark.parametrize(
    "line", ["from ..layers import width", "from .parts.layers import width", "from . import parts"]
)
def test_what_lies_in_another_folder_is_refused(line: str, folder: Path) -> None:
    (folder / "parts").mkdir()
    with pytest.raises(ModelError, match="from files beside it alone"):
        load_family_file(_model(folder, line))


def _config(folder: Path, *models: Path) -> dict[str, object]:
    return {
        "name": "own", "data": {"path": str(ABALONE), "target": "rings"}, "models": list(map(str, models)),
        "search": {"trials": 1}, "storage": {"folder": str(folder / "studies")},
    }  # fmt: skip


def test_the_study_folder_and_the_package_have_all_that_it_needs(folder: Path) -> None:
    (folder / "layers.py").write_text("WIDTH = 3\n")
    model = _model(folder, "from .layers import WIDTH")
    config = validate_config(
        _config(folder, model, _model(folder, "from . import layers", name="second")), ""
    )
    kept = set_up(config).folder.models
    assert {file.name for file in kept.iterdir()} == {
        "mine.py", "mine.yaml", "layers.py", "second.py", "second.yaml",
    }  # fmt: skip
    package = pack_study(config, folder / "study.zip", send_data=False, send_code=False)
    with zipfile.ZipFile(package.file) as opened:
        assert "families/layers.py" in opened.namelist()
    # The study needs its own folder alone.
    model.unlink()
    (folder / "layers.py").unlink()
    shutil.move(kept, folder / "elsewhere")
    assert load_family_file(folder / "elsewhere" / "mine.py").__name__ == "Probe"


def test_two_files_of_one_name_beside_two_models_are_refused(folder: Path) -> None:
    other = folder / "other"
    other.mkdir()
    models = []
    for place, name, width in ((folder, "mine", 1), (other, "second", 2)):
        (place / "layers.py").write_text(f"WIDTH = {width}\n")
        models.append(_model(place, "from .layers import WIDTH", name=name))
    config = validate_config(_config(folder, *models), "")
    with pytest.raises(ConfigError, match=r"layers\.py"):
        set_up(config)
    with pytest.raises(ConfigError, match=r"layers\.py"):
        pack_study(config, folder / "study.zip", send_data=False, send_code=False)
