"""Real processes: started, spoken to line by line, killed."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


class Process:
    """A Python program of ours, with its standard input and output as pipes of lines."""

    def __init__(self, code: str, *arguments: str, env: dict[str, str] | None = None) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), **(env or {})},
            text=True,
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def read_line(self) -> str:
        """The next line it writes; empty when it has ended."""
        assert self._process.stdout is not None
        return self._process.stdout.readline().rstrip("\n")

    def read_rest(self) -> list[str]:
        assert self._process.stdout is not None
        return self._process.stdout.read().splitlines()

    def tell(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def kill(self) -> None:
        """kill -9."""
        self._process.kill()
        self._process.wait(10)

    def finish(self) -> int:
        """Close its input and wait for its end; the exit code."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        return self._process.wait(30)

    def close(self) -> None:
        if self._process.poll() is None:
            self.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe and not pipe.closed:
                pipe.close()


@contextmanager
def running(code: str, *arguments: str, env: dict[str, str] | None = None) -> Iterator[Process]:
    """The program, killed at the end of the block if it still runs."""
    process = Process(code, *arguments, env=env)
    try:
        yield process
    finally:
        process.close()
