import multiprocessing as mp
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from joblib import Parallel, delayed
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV

from mpnn import MessagePassingClassifier, PairwiseVoteClassifier

X, y = load_digits(n_class=4, return_X_y=True)
X, y = X[:200], y[:200]


def job(seed):
    return (
        PairwiseVoteClassifier(MessagePassingClassifier(random_state=seed)).fit(X[:100], y[:100]).predict(X)
    )


def search(n):
    return (
        GridSearchCV(MessagePassingClassifier(random_state=0), {"sparsity": [0.0, 1.0]}, cv=2, n_jobs=n)
        .fit(X, y)
        .cv_results_["mean_test_score"]
    )


if __name__ == "__main__":
    how = sys.argv[1]
    t = time.time()
    if how != "fork before use":
        want = [job(s) for s in range(2)]
        grid = search(1)
    t1 = time.time() - t
    t = time.time()
    if how == "threads":
        with ThreadPoolExecutor(4) as pool:
            got = list(pool.map(job, range(2)))
    elif how == "joblib loky":
        got = Parallel(2)(delayed(job)(s) for s in range(2))
    elif how == "joblib multiprocessing":
        got = Parallel(2, backend="multiprocessing")(delayed(job)(s) for s in range(2))
    elif how == "joblib threading":
        got = Parallel(2, backend="threading")(delayed(job)(s) for s in range(2))
    elif how == "GridSearchCV n_jobs=2":
        got = want
        assert np.allclose(search(2), grid)
    else:
        with mp.get_context(how.split()[0]).Pool(2) as pool:
            got = pool.map(job, range(2))
    if how == "fork before use":
        want = [job(s) for s in range(2)]
    print(
        "same" if all((a == b).all() for a, b in zip(got, want)) else "DIFFERENT",
        f"{time.time() - t:.1f} s, alone {t1:.1f} s",
    )
