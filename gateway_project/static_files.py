"""Static files straight from the source tree; their URLs change with their content."""

import hashlib
from functools import lru_cache
from pathlib import Path

from django.contrib.staticfiles import finders
from django.contrib.staticfiles.storage import StaticFilesStorage


class VersionedStaticFiles(StaticFilesStorage):
    """`style.css?v=<digest of the content>`: caches may keep a file, and never keep an old one."""

    def url(self, name: str | None) -> str:
        url = super().url(name)
        digest = _digest(name or "")
        return f"{url}?v={digest}" if digest else url


@lru_cache(maxsize=512)
def _digest(name: str) -> str:
    found = finders.find(name)
    if not isinstance(found, str):
        return ""
    return hashlib.sha256(Path(found).read_bytes()).hexdigest()[:10]
