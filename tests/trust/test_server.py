"""A web server whose workers are forked after the import, or after the fit: all requests are answered.

The application is plain ASGI: it takes rows as float64 bytes and returns labels as int64 bytes.
"""

import subprocess
import sys

import pytest

SERVER = """
import multiprocessing, os, signal, socket, sys, threading, urllib.request, warnings
import numpy as np
import uvicorn
from mpnn import MessagePassingClassifier
warnings.simplefilter("ignore")
rng = np.random.default_rng(0)
X = rng.normal(size=(40, 4))
network = MessagePassingClassifier((), encoding=None, num_sweeps=3, random_state=0)
if sys.argv[1] == "fit":
    network.fit(X, X[:, 0] > 0)

async def application(scope, receive, send):
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    labels = network.predict(np.frombuffer(body).reshape(-1, 4)).astype(np.int64)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": labels.tobytes() + os.getpid().to_bytes(8, "little")})

def work(listener):
    signal.alarm(400)  # a worker that hangs ends
    if sys.argv[1] == "import":
        network.fit(X, X[:, 0] > 0)
    config = uvicorn.Config(application, log_level="error", lifespan="off")
    uvicorn.Server(config).run(sockets=[listener])

listener = socket.create_server(("127.0.0.1", 0))
address = "http://127.0.0.1:%d/" % listener.getsockname()[1]
workers = [multiprocessing.get_context("fork").Process(target=work, args=(listener,)) for _ in range(2)]
for worker in workers:
    worker.start()
sent, found, seen = [], [], set()
for _ in range(200):
    sent.append(rng.normal(size=(int(rng.integers(1, 300)), 4)))
    with urllib.request.urlopen(address, data=sent[-1].tobytes(), timeout=300) as response:
        answer = response.read()
    found.append(np.frombuffer(answer[:-8], np.int64))
    seen.add(answer[-8:])
for worker in workers:
    worker.terminate()
    worker.join()
if sys.argv[1] == "import":
    network.fit(X, X[:, 0] > 0)
for rows, labels in zip(sent, found):
    np.testing.assert_array_equal(network.predict(rows), labels)
print(len(found), "answers of", len(seen), "workers")
"""


@pytest.mark.slow
@pytest.mark.parametrize("forked_after", ["import", "fit"])
def test_workers_of_a_web_server_answer(forked_after):
    pytest.importorskip("uvicorn", reason="the server is uvicorn")
    if sys.platform == "win32":
        pytest.skip("this system has no fork")
    command = [sys.executable, "-c", SERVER, forked_after]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=600)
    assert done.returncode == 0
    assert "200 answers" in done.stdout
