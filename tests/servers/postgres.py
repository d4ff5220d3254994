"""A PostgreSQL server of a test's own, which it may kill."""

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import psycopg

from tests.servers.gateway import wait_for
from tests.servers.installation import free_port

_INSTALLED = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True)
_INITDB = shutil.which("initdb") or (str(_INSTALLED[0]) if _INSTALLED else "")
IS_POSSIBLE = bool(_INITDB)


class Postgres:
    """A cluster in a folder of its own; its databases are on the disk as anybody's are."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="flo2-pg-"))
        self._owner = "postgres" if os.geteuid() == 0 else None  # it refuses to run as root
        if self._owner:
            shutil.chown(self._folder, self._owner)
        self.port = free_port()
        self.url = f"postgres://flo2@127.0.0.1:{self.port}/flo2"
        options = ["-D", str(self._folder / "data"), "-U", "postgres", "-E", "UTF8"]
        self._run(_INITDB, *options, "--auth=trust", "--no-sync")
        self.start()
        with psycopg.connect(self._url("postgres"), autocommit=True) as server:
            server.execute("CREATE ROLE flo2 LOGIN NOSUPERUSER NOBYPASSRLS")
            server.execute("CREATE DATABASE flo2 OWNER flo2")

    def start(self) -> None:
        server = str(Path(_INITDB).with_name("postgres"))
        options = ["-p", str(self.port), "-k", str(self._folder), "-h", "127.0.0.1"]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [server, "-D", str(self._folder / "data"), *options],
                user=self._owner, cwd=self._folder, stdout=log, stderr=log,
            )  # fmt: skip
        wait_for(self._answers, "PostgreSQL answers", seconds=60)

    def kill(self) -> None:
        """As if its machine was gone: no connection is ended in order, nothing is written."""
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait(timeout=30)

    def remove(self) -> None:
        self.kill()
        shutil.rmtree(self._folder)

    def _answers(self) -> bool:
        try:
            psycopg.connect(self._url("postgres"), connect_timeout=1).close()
        except psycopg.OperationalError:
            return False
        return True

    def _url(self, database: str) -> str:
        return f"postgres://postgres@127.0.0.1:{self.port}/{database}"

    def _run(self, *command: str) -> None:
        subprocess.run(
            command, user=self._owner, cwd=self._folder, check=True, capture_output=True
        )  # fmt: skip
