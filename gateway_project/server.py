"""One gateway process: `python -m gateway_project.server --fd N`, on a socket made by `up`.

SIGTERM drains: not ready for two seconds, in which each answer ends its connection, then no new
connections, then up to FLO2_DRAIN_SECONDS for the calls in flight. SIGINT does the same within
five seconds.
"""

import argparse
import gc
import signal
import socket
import threading

import uvicorn

from gateway_project import lifeline

NOT_READY_SECONDS = 2.0
HURRIED_SECONDS = 5


class DrainingServer(uvicorn.Server):
    """uvicorn's server, which says that it is not ready before it stops."""

    def handle_exit(self, sig: int, frame: object) -> None:
        from gateway_project import probes
        from gateway_project.limits import GuardedProtocol

        GuardedProtocol.is_draining = True
        if self.should_exit or sig == signal.SIGINT:
            self.config.timeout_graceful_shutdown = HURRIED_SECONDS
            self.should_exit = True
            return
        probes.drain()
        # A timer and not the loop's: signals and the lifeline come outside of it.
        threading.Timer(NOT_READY_SECONDS, setattr, (self, "should_exit", True)).start()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fd", type=int, required=True)
    chosen = parser.parse_args()

    gc.disable()  # until what is imported is there for good: see `asgi`
    # Imported late: an error in the settings is better told by `up` than by a traceback here.
    from django.conf import settings

    from gateway_project.asgi import application
    from gateway_project.limits import GuardedProtocol

    config = uvicorn.Config(
        application,
        loop="uvloop",
        http=GuardedProtocol,
        ws="websockets-sansio",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=settings.FLO2_DRAIN_SECONDS,
        backlog=2048,
    )
    server = DrainingServer(config)
    lifeline.hold(lambda: server.handle_exit(signal.SIGTERM, None))
    server.run(sockets=[socket.socket(fileno=chosen.fd)])


if __name__ == "__main__":
    main()
