"""Estimates of token counts, where nobody reports any. Always flagged as such. Pure."""

import re

BYTES_PER_TOKEN = 3.6  # English and code
IMAGE_TOKENS = 1500
_INLINE_FILE = re.compile(rb"data:[\w/+.-]{1,100};base64,[A-Za-z0-9+/=\\]*")


def of_body(body: bytes) -> int:
    """Input tokens of a request: its bytes, with inline files counted as pictures."""
    size, pictures = len(body), 0
    if b";base64," in body:
        for match in _INLINE_FILE.finditer(body):
            size -= len(match[0])
            pictures += 1
    return int(size / BYTES_PER_TOKEN) + pictures * IMAGE_TOKENS + 1


def of_output(size: int) -> int:
    """Output tokens of so many bytes of text."""
    return int(size / BYTES_PER_TOKEN) + 1 if size > 0 else 0
