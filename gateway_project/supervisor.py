"""`up`: starts gateway, worker and sandbox as one, restarts what dies, stops all of it in order."""

import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from django.conf import settings

from gateway_project import lifeline, metrics

log = logging.getLogger(__name__)

CHECK_SECONDS = 0.2
RESTART_SECONDS = (0.2, 5.0)  # the pause grows while a process keeps dying
HURRIED_SECONDS = 10.0
WORKER_WAITS = 5.0  # for the gateway to be ready: two that start at once take twice as long


class CannotStart(Exception):
    """One sentence that says why, and what to do."""


@dataclass
class Child:
    """A process that is to run: its command, and the sockets it inherits."""

    name: str
    command: list[str]
    sockets: tuple[socket.socket, ...] = ()
    start_at: float = 0.0
    process: subprocess.Popen[bytes] | None = None
    pause: float = field(default=RESTART_SECONDS[0])
    started_at: float = 0.0


class Supervisor:
    def __init__(self) -> None:
        self._lifeline_out, self._lifeline_in = os.pipe()
        self._children: list[Child] = []
        self._signal = 0

    def run(self, *, on_ready: Callable[[], None]) -> None:
        """Start everything and stay until a signal comes."""
        public = _listen(settings.FLO2_HOST, settings.FLO2_PORT)
        sandbox, refusing = _listen("127.0.0.1", 0), _reserve()
        metrics.forget(metrics.folder())
        environment = {
            **os.environ,
            "FLO2_SANDBOX_URL": f"http://127.0.0.1:{sandbox.getsockname()[1]}",
            "FLO2_REFUSING_URL": f"http://127.0.0.1:{refusing.getsockname()[1]}",
            lifeline.VARIABLE: str(self._lifeline_out),
        }
        self._children = list(_children(public, sandbox))
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, self._on_signal)
        ready = False
        while not self._signal:
            self._look_after(environment)
            if not ready and _answers(settings.FLO2_PORT):
                ready = True
                for child in self._children:
                    child.start_at = 0.0
                on_ready()
            time.sleep(CHECK_SECONDS)
        # Left open, it takes calls that nobody answers while the gateway drains.
        public.close()
        self._stop()
        for held in (sandbox, refusing):
            held.close()

    def _start(self, child: Child, environment: dict[str, str]) -> None:
        fds = [held.fileno() for held in child.sockets]
        command = [part.format(*fds) for part in child.command]
        child.started_at = time.monotonic()
        child.process = subprocess.Popen(  # noqa: S603  our own modules
            command,
            env=environment,
            cwd=settings.BASE_DIR,
            pass_fds=(*fds, self._lifeline_out),
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for us; we stop them in order
        )

    def _look_after(self, environment: dict[str, str]) -> None:
        """Start what is due, and what has died once more, with growing pauses."""
        now = time.monotonic()
        for child in self._children:
            if child.process is None:
                if now >= child.start_at:
                    self._start(child, environment)
                continue
            code = child.process.poll()
            if code is None:
                continue
            shortest, longest = RESTART_SECONDS
            lived = now - child.started_at
            child.pause = shortest if lived > 30 else min(longest, child.pause * 2)
            child.process, child.start_at = None, now + child.pause
            log.warning(
                "a process ended and is started again",
                extra={
                    "child": child.name,
                    "exit_code": code,
                },
            )

    def _stop(self) -> None:
        """The gateway first, so that nobody is left without worker and sandbox."""
        hurried = self._signal == signal.SIGINT
        patience = HURRIED_SECONDS if hurried else settings.FLO2_DRAIN_SECONDS + HURRIED_SECONDS
        for names in ({"gateway"}, {"worker", "sandbox"}):
            chosen = [c for c in self._children if c.name in names and c.process]
            for child in chosen:
                _signal(child, signal.SIGINT if hurried and "gateway" in names else signal.SIGTERM)
            _wait(chosen, patience)
            patience = HURRIED_SECONDS

    def _on_signal(self, number: int, _: object) -> None:
        if self._signal:  # a second one: no more patience
            for child in self._children:
                _signal(child, signal.SIGKILL)
        self._signal = number


def _children(public: socket.socket, sandbox: socket.socket) -> Iterator[Child]:
    python = sys.executable
    for _ in range(settings.FLO2_WORKERS):
        server = [python, "-m", "gateway_project.server", "--fd", "{0}"]
        yield Child("gateway", server, (public,))
    yield Child("sandbox", [python, "-m", "routing.sandbox", "--fd", "{0}"], (sandbox,))
    beat = str(Path(settings.FLO2_DATA_DIR) / "beat")
    celery = [python, "-m", "celery", "-A", "gateway_project.celery", "--quiet"]
    worker = ["worker", "-B", "--pool=solo", "--loglevel=warning", "-s", beat]
    alone = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    at = time.monotonic() + WORKER_WAITS
    yield Child("worker", [*celery, *worker, *alone], start_at=at)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except socket.gaierror as error:
        listening.close()
        raise CannotStart(f"FLO2_HOST {host!r} is no address: {error.strerror}.") from None
    except OSError as error:
        listening.close()
        raise CannotStart(
            f"Port {port} of {host} cannot be used ({error.strerror}):"
            " choose another one with FLO2_PORT=8001."
        ) from None
    listening.listen(2048)
    return listening


def _reserve() -> socket.socket:
    """A port that is ours and refuses: bound, and never listened on."""
    held = socket.socket()
    held.bind(("127.0.0.1", 0))
    return held


def _answers(port: int) -> bool:
    """Whether the gateway is ready for calls."""
    host = "127.0.0.1" if settings.FLO2_HOST in {"0.0.0.0", "::"} else settings.FLO2_HOST  # noqa: S104
    with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=1) as asked:
        asked.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        return asked.recv(64).startswith(b"HTTP/1.1 200")
    return False


def _signal(child: Child, number: int) -> None:
    if child.process and child.process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            child.process.send_signal(number)


def _wait(children: list[Child], patience: float) -> None:
    """Wait for the processes to end; kill those that do not."""
    give_up = time.monotonic() + patience
    for child in children:
        if child.process is None:
            continue
        try:
            child.process.wait(max(0.1, give_up - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.process.kill()
            child.process.wait()
