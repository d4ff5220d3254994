"""What providers really send, and what is to be read in it: one folder per catalogue file."""

import tomllib
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

import msgspec

from billing.usage import Usage
from routing import dialects
from routing.conversation import (
    Answer,
    Counted,
    Finished,
    Piece,
    Text,
    TextPiece,
    Thinking,
    ThinkingPiece,
    ToolBegun,
    ToolCall,
    ToolPiece,
)
from routing.providers.catalog_index import Catalog
from routing.providers.spec import Provider, Quirks

FOLDER = Path(__file__).parents[2] / "fixtures" / "providers"
FILES = (
    "request.json", "reply.json", "stream.sse", "bad_key.json", "rate_limited.json",
    "expected.toml",
)  # fmt: skip


class Call(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    arguments: str


class Expected(msgspec.Struct, forbid_unknown_fields=True):
    """What an answer says."""

    model: str
    text: str
    thoughts: str
    finish: str
    usage: Usage
    reported_cost: Decimal | None = None
    calls: list[Call] = []


class Refused(msgspec.Struct, forbid_unknown_fields=True):
    status: int
    kind: str
    retry_after_s: float | None = None


class Asked(msgspec.Struct, forbid_unknown_fields=True):
    """`is_signed`: it repeats thoughts that the real provider signed; others would refuse it."""

    path: str
    is_signed: bool = False


class Recording(msgspec.Struct, forbid_unknown_fields=True):
    request: Asked
    reply: Expected
    stream: Expected
    bad_key: Refused
    rate_limited: Refused


def missing(slug: str, folder: Path = FOLDER) -> list[str]:
    return [name for name in FILES if not (folder / slug / name).is_file()]


def of(slug: str, folder: Path = FOLDER) -> Recording:
    content = tomllib.loads((folder / slug / "expected.toml").read_text(), parse_float=Decimal)
    return msgspec.convert(content, Recording)


def quirks(provider: Provider, model: str) -> Quirks:
    """Those of a model of the provider, else the provider's own."""
    found = Catalog({provider.slug: provider}).find(provider.slug, model)
    return provider.quirks_of(found.model if found else None)


def read_whole(provider: Provider, body: bytes, model: str) -> Expected:
    """A whole answer, as the provider's dialect is read."""
    answer: Answer = dialects.PROVIDERS[provider.wire].read(body, quirks(provider, model))
    blocks = answer.blocks
    return Expected(
        model=answer.model,
        text="".join(block.text for block in blocks if isinstance(block, Text)),
        thoughts="".join(block.text for block in blocks if isinstance(block, Thinking)),
        finish=answer.finish,
        usage=answer.usage or Usage(),
        reported_cost=answer.reported_cost,
        calls=[Call(b.name, b.arguments) for b in blocks if isinstance(b, ToolCall)],
    )


def read_stream(provider: Provider, blocks: Iterable[bytes], model: str) -> Expected:
    """A streamed answer that comes in these blocks."""
    reader = dialects.PROVIDERS[provider.wire].reader(quirks(provider, model))
    pieces = [piece for block in blocks for piece in reader.feed(block)]
    pieces += reader.end()
    return _gathered(pieces, reader.model)


def _gathered(pieces: list[Piece], model: str) -> Expected:
    found = Expected(model=model, text="", thoughts="", finish="", usage=Usage())
    for piece in pieces:
        match piece:
            case TextPiece():
                found.text += piece.text
            case ThinkingPiece():
                found.thoughts += piece.text
            case ToolBegun():
                assert piece.index == len(found.calls)
                found.calls.append(Call(piece.name, ""))
            case ToolPiece():
                found.calls[piece.index].arguments += piece.text
            case Finished():
                found.finish = piece.finish
            case Counted():
                found.usage = piece.usage or found.usage
                found.reported_cost = piece.reported_cost
            case _:
                pass
    return found
