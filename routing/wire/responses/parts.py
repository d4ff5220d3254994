"""Parts of a message or of a tool's result, as blocks."""

from accounts.errors import InvalidRequest
from routing.conversation import Audio, CacheMark, Document, Image, Json, Refusal, Text
from routing.wire.responses import fields

Part = Text | Image | Document | Audio | Refusal

_TEXTS = frozenset({"input_text", "output_text", "text", "summary_text", "reasoning_text"})


def read(owner: Json, name: str, place: str) -> tuple[list[Part], bool]:
    """The blocks of a content, and whether a part had to be left out. Raises InvalidRequest.

    Empty texts beside other parts say nothing, and some providers refuse them: they are dropped.
    """
    content = owner.get(name)
    if type(content) is str:
        return [Text(content)], False
    if type(content) is not list:
        raise fields.refused(f"{place}.{name}", "be a text or a list of parts")
    blocks = [_part(part, here) for here, part in fields.objects(owner, name, place)]
    kept = [block for block in blocks if block is not None]
    said = [block for block in kept if not (isinstance(block, Text) and not block.text)]
    return said or kept[:1], len(kept) < len(blocks)


def _part(part: Json, place: str) -> Part | None:
    kind = fields.named(part, "type", place)
    if kind in _TEXTS:
        return Text(fields.text(part, "text", place), _cache(part))
    if kind == "refusal":
        return Refusal(fields.text(part, "refusal", place))
    if kind == "input_image":
        return _image(part, place)
    if kind == "input_file":
        return _file(part, place)
    if kind == "input_audio":
        return _audio(part, place)
    return None


def _image(part: Json, place: str) -> Image:
    url = fields.text(part, "image_url", place)
    detail, cache = fields.text(part, "detail", place), _cache(part)
    if not url:
        raise _no_files(part, place, "image_url")
    if url.startswith("data:"):
        media_type, data = _inline(url, f"{place}.image_url")
        return Image(media_type=media_type, data=data, detail=detail, cache=cache)
    return Image(url=url, detail=detail, cache=cache)


def _file(part: Json, place: str) -> Document:
    title, cache = fields.text(part, "filename", place), _cache(part)
    data = fields.text(part, "file_data", place)
    if data.startswith("data:"):
        media_type, data = _inline(data, f"{place}.file_data")
        return Document(media_type=media_type, data=data, title=title, cache=cache)
    if data:
        return Document(data=data, title=title, cache=cache)
    url = fields.text(part, "file_url", place)
    if not url:
        raise _no_files(part, place, "file_data or file_url")
    return Document(url=url, title=title, cache=cache)


def _audio(part: Json, place: str) -> Audio:
    inner, where = fields.typed(part, "input_audio", dict, place) or {}, f"{place}.input_audio"
    return Audio(
        format=fields.named(inner, "format", where), data=fields.named(inner, "data", where)
    )


def _inline(url: str, place: str) -> tuple[str, str]:
    """Media type and base64 of a data URL."""
    head, comma, data = url.partition(",")
    media_type, *marks = head.removeprefix("data:").split(";")
    if not comma or "base64" not in marks or not media_type:
        raise fields.refused(place, "be an address or data:<media type>;base64,<bytes>")
    return media_type, data


def _no_files(part: Json, place: str, instead: str) -> InvalidRequest:
    if part.get("file_id"):
        return InvalidRequest(
            f"{place}.file_id names a file that only its provider has. Send {instead} instead.",
            param=f"{place}.file_id",
        )
    return fields.refused(place, f"have {instead}")


def _cache(part: Json) -> CacheMark:
    return "5m" if part.get("prompt_cache_breakpoint") else ""
