"""The stock JavaScript client, changed by its base URL and key alone."""

import json
import os
import subprocess

import pytest

from tests.e2e import prepare
from tests.e2e.demo import Demo


@pytest.fixture(scope="session", autouse=True)
def _clients_are_installed() -> None:
    prepare.node_modules()


def test_the_openai_client_for_javascript_calls_streams_and_reads_errors(demo: Demo) -> None:
    environment = {
        **os.environ,
        "FLO2_BASE_URL": f"{demo.url}/v1",
        "FLO2_API_KEY": demo.test_key,
    }
    done = subprocess.run(
        ["node", "first_call.mjs"],
        cwd=prepare.JS,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)

    assert said["whole"]["content"]
    assert said["whole"]["usage"]["cost"] > 0
    assert said["whole"]["provider"] != "none"
    assert said["streamed"]["text"]
    assert said["streamed"]["pieces"] > 1
    assert said["streamed"]["usage"]["total_tokens"] > 0
    assert said["refusal"] == {"name": "NotFoundError", "status": 404, "code": "model_not_found"}
