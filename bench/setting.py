"""A gateway on a scratch database, with one tenant, one live key and a canned upstream."""

import os
import secrets
import tempfile
from base64 import b64encode
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]

REQUEST = (
    b'{"model": "openai/gpt-4.1-mini", "messages": [{"role": "system", "content": "You are a '
    b'concise assistant that answers in one or two sentences and never uses markdown."}, {"role": '
    b'"user", "content": "Explain in one paragraph why wafer-scale compute is fast for inference '
    b'of large language models."}], "temperature": 0.2, "max_tokens": 256}'
)
MESSAGES = (
    b'{"model": "openai/gpt-4.1-mini", "max_tokens": 256, "system": "You are a concise assistant '
    b'that answers in one or two sentences and never uses markdown.", "messages": [{"role": "user"'
    b', "content": "Explain in one paragraph why wafer-scale compute is fast for inference of '
    b'large language models."}], "temperature": 0.2}'
)
ANSWER = (
    b'{"id":"chatcmpl-bench0123456789","object":"chat.completion","created":1760000000,"model":'
    b'"gpt-4.1-mini-2025-04-14","choices":[{"index":0,"message":{"role":"assistant","content":'
    b'"lorem 0 lorem 1 lorem 2 lorem 3 ","refusal":null},"logprobs":null,"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":25,"completion_tokens":4,"total_tokens":29,"prompt_tokens_details":'
    b'{"cached_tokens":0}},"system_fingerprint":"fp_bench"}'
)
CHUNK = (
    b'data: {"id":"chatcmpl-bench0123456789","object":"chat.completion.chunk","created":1760000000,'
    b'"model":"gpt-4.1-mini-2025-04-14","system_fingerprint":"fp_bench","choices":[{"index":0,'
    b'"delta":{"content":" token"},"logprobs":null,"finish_reason":null}],"usage":null}\n\n'
)
STREAM_END = (
    b'data: {"id":"chatcmpl-bench0123456789","object":"chat.completion.chunk","created":1760000000,'
    b'"model":"gpt-4.1-mini-2025-04-14","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],'
    b'"usage":null}\n\n'
    b'data: {"id":"chatcmpl-bench0123456789","object":"chat.completion.chunk","created":1760000000,'
    b'"model":"gpt-4.1-mini-2025-04-14","choices":[],"usage":{"prompt_tokens":25,'
    b'"completion_tokens":64,"total_tokens":89}}\n\ndata: [DONE]\n\n'
)
CHUNKS = 64


def set_up() -> None:
    """Choose scratch settings; before anything of Django is imported."""
    os.environ["FLO2_DATA_DIR"] = tempfile.mkdtemp(prefix="flo2-bench-")
    os.environ["DATABASE_URL"] = ""
    os.environ["SECRET_KEY"] = secrets.token_urlsafe(50)
    for name in ("FLO2_MASTER_KEYS", "FLO2_KEY_PEPPERS"):
        os.environ[name] = f"bench:{b64encode(secrets.token_bytes(32)).decode()}"
    os.environ["DJANGO_SETTINGS_MODULE"] = "gateway_project.settings"


def provision(name: str = "bench") -> str:
    """A tenant with a provider key; the text of its live key."""
    from django.core.management import call_command

    from accounts import audit, gateway_keys, provider_keys, signup
    from accounts.gateway_keys import KeyTerms
    from accounts.models import User
    from accounts.secret import Secret
    from accounts.tenancy import tenant_scope

    call_command("migrate", verbosity=0)
    user = User.objects.create_user(f"{name}@flo2.example", "bench-password-123")
    tenant = signup.create_tenant(user, name=name)
    with tenant_scope(tenant.pk):
        provider_keys.add(
            tenant, provider="openai", secret=Secret("sk-bench-0123456789"), actor=audit.SYSTEM
        )
        terms = KeyTerms(name="bench", mode="live")
        return gateway_keys.issue(tenant, terms, actor=audit.SYSTEM).text.reveal()


class CannedConnection:
    """An upstream that has answered before it was asked."""

    was_used = True
    head_size = 0
    status = 200
    is_done = True

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = iter(pieces)
        self._all = b"".join(pieces)
        self.headers = [(b"content-type", b"application/json")]

    def send(self, *_: object, **__: object) -> None: ...

    async def head(self) -> int:
        self.headers = [(b"content-type", b"text/event-stream")]
        return 200

    async def completed(self) -> None: ...

    def body(self) -> bytes:
        return self._all

    async def more(self) -> bytes:
        return next(self._pieces, b"")

    async def pour(self, sink: Callable[[bytes], bool]) -> None:
        for piece in self._pieces:
            if not sink(piece):
                return

    async def completed_soon(self, seconds: float) -> None: ...

    def header(self, name: bytes) -> bytes:
        return next((value for key, value in self.headers if key == name), b"")

    def begin(self) -> None: ...

    def finish(self) -> None: ...

    def close(self) -> None: ...


class CannedPool:
    def __init__(self, pieces: list[bytes]) -> None:
        self.pieces = pieces

    def kept(self, _: object) -> CannedConnection:
        return CannedConnection(self.pieces)

    def close(self) -> None: ...


class Answered:
    """Stands where the way to the client's connection stands: keeps what is written."""

    is_gone = is_full = ends_with_client = False

    def __init__(self) -> None:
        self.status, self.written = 0, bytearray()
        self.asked = b""  # the request's body, which has come

    def take_body(self) -> bytes:
        return self.asked

    def whole(self, status: int, pairs: object, body: bytes) -> None:
        self.status = status
        self.written += body

    def begin(self, status: int, pairs: object) -> None:
        self.status = status

    def write(self, piece: bytes) -> None:
        self.written += piece

    def end(self) -> None: ...

    async def drained(self) -> None: ...


App = Callable[..., Awaitable[None]]


def scope(path: str, key: str) -> dict[str, Any]:
    """A request as uvicorn hands it over, with the headers that an SDK sends."""
    headers = [
        (b"host", b"localhost:8000"),
        (b"authorization", f"Bearer {key}".encode()),
        (b"content-type", b"application/json"),
        (b"accept", b"application/json"),
        (b"user-agent", b"OpenAI/Python 3.51.0"),
        (b"accept-encoding", b"gzip, deflate"),
    ]
    return {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
        "server": ("127.0.0.1", 8000),
        "client": ("127.0.0.1", 50000),
        "headers": headers,
        "state": {},
        "flo2.answering": Answered(),
    }


async def call(app: App, request_scope: dict[str, Any], body: bytes) -> Answered:
    """Call the application once; what it answered."""

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None: ...

    answered: Answered = request_scope["flo2.answering"]
    answered.asked = body
    await app(request_scope, receive, send)
    return answered
