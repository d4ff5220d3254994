"""Server-sent events on bytes: split a stream into whole events, whatever the network did. Pure."""

LONGEST_EVENT = 4 * 2**20
BOM = b"\xef\xbb\xbf"


class EventTooLong(ValueError):
    """An event of more than 4 MB."""


class Splitter:
    """Cuts blocks at event borders. `feed` returns the whole events, each ending in a blank line.

    Line ends become `\\n`; an event that is not finished waits for the next block.
    """

    __slots__ = ("_rest", "_started")

    def __init__(self) -> None:
        self._rest = b""
        self._started = False

    def feed(self, block: bytes) -> bytes:
        if self._rest:
            block = self._rest + block
            self._rest = b""
        if not self._started:
            if BOM.startswith(block):  # perhaps the first bytes of a mark
                self._rest = block
                return b""
            self._started = True
            block = block.removeprefix(BOM)
        if b"\r" in block:
            block = self._without_returns(block)
        if block.endswith(b"\n\n"):
            return block
        end = block.rfind(b"\n\n") + 2
        if end == 1:
            self._keep(block)
            return b""
        self._keep(block[end:])
        return block[:end]

    def end(self) -> bytes:
        """What is left when the stream is over: an event that lacks its blank line, if any."""
        rest, self._rest = self._rest.strip(b"\r\n"), b""
        return rest + b"\n\n" if rest else b""

    def _keep(self, rest: bytes) -> None:
        if len(rest) > LONGEST_EVENT:
            raise EventTooLong
        self._rest = rest + self._rest

    def _without_returns(self, block: bytes) -> bytes:
        """`\\r\\n` and `\\r` as `\\n`; a return at the very end may be half of a pair: keep it."""
        if block.endswith(b"\r"):
            self._rest = b"\r"
            block = block[:-1]
        return block.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def fields(event: bytes) -> tuple[bytes, bytes]:
    """The name and the data of one event; comments are passed over."""
    name, data = b"", []
    for line in event.split(b"\n"):
        if line.startswith(b"data:"):
            data.append(line[6:] if line[5:6] == b" " else line[5:])
        elif line.startswith(b"event:"):
            name = line[6:].strip()
    return name, b"\n".join(data)
