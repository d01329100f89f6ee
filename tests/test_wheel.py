"""The wheel built from the tree works where the tree is not."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def run(*command, cwd):
    done = subprocess.run([sys.executable, *command], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.slow
def test_the_wheel_imports_elsewhere(tmp_path):
    run("-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(ROOT), cwd=tmp_path)
    (wheel,) = tmp_path.glob("*.whl")
    target = tmp_path / "installed"
    options = ("--quiet", "--no-deps", "--no-index", "--disable-pip-version-check", "--target", str(target))
    run("-m", "pip", "install", *options, str(wheel), cwd=tmp_path)
    shipped = {
        path.relative_to(target) for path in target.rglob("mpnn/**/*") if path.suffix in (".py", ".html")
    }
    present = {path.relative_to(ROOT) for path in ROOT.glob("mpnn/**/*") if path.suffix in (".py", ".html")}
    assert shipped == present
    code = (
        f"import sys; sys.path.insert(0, {str(target)!r}); import mpnn; "
        "mpnn.MessagePassingClassifier; import mpnn.cli.main; print(mpnn.__file__)"
    )
    # isolated: neither the current folder nor PYTHONPATH nor the tree installed for development
    assert Path(run("-I", "-c", code, cwd=tmp_path)) == target / "mpnn" / "__init__.py"
