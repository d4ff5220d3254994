"""The process: starts fast without Django, takes a socket, follows its lifeline, logs no words."""

import os
import socket
import subprocess
import sys
import time

import httpx

from tests.routing.sandbox import server
from tests.routing.sandbox.server import ROOT
from tests.routing.sandbox.speakers import BY_NAME
from tests.routing.sandbox.speaking import KEY

COMMAND = [sys.executable, "-m", "routing.sandbox"]


def test_it_knows_nothing_of_django_and_of_the_rest_of_the_gateway() -> None:
    program = (
        "import sys, routing.sandbox.__main__;"
        "print([m for m in sys.modules if m.partition('.')[0] in"
        " {'django', 'accounts', 'billing', 'dashboard', 'gateway_project'}"
        " or (m.startswith('routing.') and not m.startswith('routing.sandbox'))])"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[]"


def test_it_starts_within_a_second() -> None:
    began = time.monotonic()

    with server.running() as sandbox:
        assert sandbox.get("/groq/openai/v1/models", {}).status_code == 401
        assert time.monotonic() - began < 1.0


def test_it_serves_on_a_socket_that_it_inherits() -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/openrouter/api/v1/models"
        fd = listening.fileno()
        process = subprocess.Popen([*COMMAND, "--fd", str(fd)], cwd=ROOT, pass_fds=(fd,))
    try:
        assert httpx.get(url, trust_env=False, timeout=5).status_code == 200
    finally:
        process.terminate()
        process.wait(5)


def test_it_stops_when_its_supervisor_is_gone() -> None:
    reading, writing = os.pipe()
    process = subprocess.Popen(
        [*COMMAND, "--port", "0"],
        cwd=ROOT,
        pass_fds=(reading,),
        env={**os.environ, "FLO2_LIFELINE_FD": str(reading)},
        stdout=subprocess.PIPE,
    )
    os.close(reading)
    assert process.stdout is not None
    with process.stdout:
        process.stdout.readline()
        assert process.poll() is None
        os.close(writing)

        assert process.wait(5) == 0


def test_it_logs_ids_and_counts_and_neither_words_nor_keys() -> None:
    speaker = BY_NAME["groq"]
    process = subprocess.Popen(
        [*COMMAND, "--port", "0"],
        cwd=ROOT,
        env={**os.environ, "FLO2_LOG_LEVEL": "info"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    port = process.stdout.readline().split()[-1]
    body = speaker.body("canary-words", model=speaker.model)
    url = f"http://127.0.0.1:{port}{speaker.url()}"

    answer = httpx.post(url, json=body, headers=speaker.headers, trust_env=False).json()

    process.terminate()
    _, logged = process.communicate(timeout=5)
    usage = answer["usage"]
    identity = answer["id"].removeprefix("chatcmpl-")
    assert f"{identity} groq" in logged
    assert f"input={usage['prompt_tokens']} output={usage['completion_tokens']}" in logged
    assert "canary-words" not in logged
    assert KEY not in logged
