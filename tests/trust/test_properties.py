"""Every classifier, every table: answers in range, of each row alone, the same after a round trip.

Side by side with scikit-learn: ``python -m experiments.trust.properties``.
"""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from experiments.trust.properties import OWN, REFUSED, answers, faults_of, problem
from mpnn import save_model

tables = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 2**31),
        "exponent": st.integers(-30, 30),
        "offset": st.sampled_from([0.0, 1.0, -100.0, 1e4]),
        "levels": st.sampled_from([0, 1, 4]),
        "constant": st.booleans(),
        "single": st.booleans(),
    }
)


@pytest.mark.slow
@pytest.mark.parametrize("name", OWN)
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(table=tables)
def test_properties(name, table):
    estimator = OWN[name]
    drawn = problem(**table, num_classes=estimator.num_classes)
    assert set(faults_of(estimator, drawn)) <= {REFUSED}


READ = """
import sys
import numpy as np
from mpnn import load_model
for path in sys.argv[2:]:
    np.save(path + ".npy", load_model(path).predict(np.load(sys.argv[1])))
"""


@pytest.mark.slow
def test_another_process_gives_the_same_answers(tmp_path):
    expected, paths = {}, []
    for number, estimator in enumerate(own for own in OWN.values() if own.saved):
        X, y, _ = problem(3, 0, 0.0, 0, False, False, estimator.num_classes)
        fitted = estimator.make().fit(X, y)
        paths.append(str(tmp_path / f"{number}.model"))
        save_model(fitted, paths[-1])
        expected[paths[-1]] = answers(fitted, X)[0]
        np.save(tmp_path / "X.npy", X)
    subprocess.run([sys.executable, "-c", READ, str(tmp_path / "X.npy"), *paths], check=True, timeout=300)
    for path, labels in expected.items():
        np.testing.assert_array_equal(np.load(path + ".npy"), labels)
