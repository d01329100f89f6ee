"""Tests start commands of their own, which find the package only where it is installed."""

import subprocess
import sys


def test_the_package_is_installed(tmp_path):
    command = [sys.executable, "-c", "import mpnn"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"install the package first: pip install -e '.[dev]'\n{done.stderr}"
