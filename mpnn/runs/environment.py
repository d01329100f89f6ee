"""Versions, device and commit of a run."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import mpnn

__all__ = ["describe_environment"]

_PACKAGES = ("jax", "jaxlib", "numpy", "scipy", "scikit-learn")


def describe_environment() -> dict[str, Any]:
    """Return versions, device and, if the package lies in its own git checkout, the commit."""
    return {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "mpnn": mpnn.__version__,
        "git_commit": _git_commit(),
        "python": platform.python_version(),
        **{name: _version(name) for name in _PACKAGES},
        "system": f"{platform.system()} {platform.machine()}",
        "cpu_count": os.cpu_count(),
        "device": _device(),
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _device() -> str:
    import jax

    devices = jax.devices()
    return f"{len(devices)} x {devices[0].device_kind}"


def _git_commit() -> str | None:
    """Return the commit, with "-dirty" after it if tracked files of the package differ from it."""
    root = Path(mpnn.__file__).parent.parent
    if not (root / ".git").exists():
        return None
    git = ["git", "-C", str(root), "describe", "--always", "--abbrev=12", "--dirty", "--exclude=*"]
    try:
        return subprocess.run(git, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
