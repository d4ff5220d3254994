"""What comes instead of an answer: a body that is none, a stream that does not end as one."""


class NotAnAnswer(ValueError):
    """The body is not an answer of its dialect: garbage, or an error under a status of 200."""


class StreamFailed(Exception):
    """Garbled, or ended by an error of the provider, whose event is `data` if there is one."""

    def __init__(self, message: str, data: bytes = b"") -> None:
        super().__init__(message)
        self.data = data


class StreamCut(StreamFailed):
    """The stream ended without saying that it is over."""
