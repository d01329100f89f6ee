"""What the README and the quickstart show runs as it stands there, with the scores that they claim."""

import re
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize(("page", "blocks"), [("README.md", 1), ("docs/quickstart.md", 5)])
def test_python_of(page, blocks, capsys):
    code = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)
    assert len(code) == blocks
    names = {}
    for block in code:
        exec(compile(block, page, "exec"), names)
    claimed = re.findall(r"\.score\(.*# (?:about )?(0\.\d+)", "".join(code))
    printed = re.findall(r"^0\.\d+$", capsys.readouterr().out, re.MULTILINE)
    assert claimed
    np.testing.assert_allclose(np.float64(printed), np.float64(claimed), atol=0.02)
