"""`python -m routing.sandbox --fd N` on a socket made by `up`, or `--port P` by hand (0: free).

`--faults` opens `/_control`, by which tests switch faults on and read what happened.
"""

import argparse
import logging
import os
import socket
import sys
import threading

import uvicorn

from routing.sandbox.application import Sandbox
from routing.sandbox.line import SandboxProtocol
from routing.sandbox.providers.registry import PROFILES
from routing.sandbox.records import Records, Tally
from routing.sandbox.routes import Routes

# As in gateway_project.lifeline, which nobody below it may import.
LIFELINE_VARIABLE = "FLO2_LIFELINE_FD"
LEVEL_VARIABLE = "FLO2_LOG_LEVEL"
STOPS_WITHIN_SECONDS = 2


class _Lines(logging.Formatter):
    """One line per exchange: ids and token counts, never a body or a header."""

    def format(self, record: logging.LogRecord) -> str:
        tally = getattr(record, "tally", None)
        if not isinstance(tally, Tally):
            return super().format(record)
        model = tally.model[:200].encode("ascii", "backslashreplace").decode()
        return (
            f"sandbox {tally.id} {tally.slug} {model!r} status={getattr(record, 'status', 0)}"
            f" input={tally.input_tokens} output={tally.output_tokens} finished={tally.finished}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m routing.sandbox", description=__doc__)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--fd", type=int, help="a listening socket that is inherited")
    where.add_argument("--port", type=int, help="a port of 127.0.0.1, 0 for a free one")
    parser.add_argument("--faults", action="store_true", help="open /_control")
    chosen = parser.parse_args()
    listening = _listening(chosen.fd, chosen.port)
    _log_to_stderr()
    config = uvicorn.Config(
        Sandbox(Routes(PROFILES), Records(is_on=chosen.faults)),
        loop="uvloop",
        http=SandboxProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=STOPS_WITHIN_SECONDS,
        backlog=2048,
    )
    server = uvicorn.Server(config)
    _hold_lifeline(server)
    server.run(sockets=[listening])


def _listening(fd: int | None, port: int | None) -> socket.socket:
    if fd is not None:
        return socket.socket(fileno=fd)
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(("127.0.0.1", port or 0))
    listening.listen(2048)
    sys.stdout.write(f"listening on {listening.getsockname()[1]}\n")
    sys.stdout.flush()
    return listening


def _log_to_stderr() -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(_Lines("%(levelname)s %(name)s %(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    level = (os.environ.get(LEVEL_VARIABLE, "").strip() or "warning").upper()
    logging.getLogger("routing.sandbox").setLevel(level)


def _hold_lifeline(server: uvicorn.Server) -> None:
    """Stop when the supervisor is gone: its end of the pipe is closed then."""
    fd = os.environ.get(LIFELINE_VARIABLE)
    if fd is not None:
        threading.Thread(target=_wait_for_end, args=(int(fd), server), daemon=True).start()


def _wait_for_end(fd: int, server: uvicorn.Server) -> None:
    try:
        os.read(fd, 1)
    except OSError:
        return
    server.should_exit = True


if __name__ == "__main__":
    main()
