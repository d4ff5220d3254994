"""A fork ends soon after the process that made it, however that ended."""

import os
import subprocess
import sys
from pathlib import Path

from tests.servers.gateway import wait_for

PROGRAM = """
import os, signal, time
from gateway_project import lifeline
ready, tell = os.pipe()
child = os.fork()
if child == 0:
    lifeline.end_with_parent(0.05)
    os.write(tell, b".")
    time.sleep(600)
os.read(ready, 1)
print(child, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_fork_ends_with_the_process_that_made_it() -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    command = [sys.executable, "-c", PROGRAM]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as started:
        assert started.stdout is not None
        child = int(started.stdout.readline())

    wait_for(lambda: not is_there(child), "the fork has ended", seconds=10)


def is_there(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] not in {"Z", "X"}
    except OSError:
        return False
