"""Whether a call is looked up and kept, for how long, and if not, why not. Pure."""

import re
from collections.abc import Iterable

import msgspec

from routing.chat import Body, ChatRequest
from routing.options import Options
from routing.policy_terms import Terms

USUAL_TTL_S = 3600
LARGEST_REQUEST = 256 * 1024

# What a body may hold that makes an answer depend on more than the body, or that is not kept.
STATEFUL = (
    "previous_response_id", "conversation", "container", "background", "prompt", "mcp_servers",
    "web_search_options", "plugins", "search_parameters", "documents",
)  # fmt: skip
NOT_KEPT = {
    "audio": "an answer with audio is not kept",
    "top_logprobs": "log probabilities are not kept",
    "prediction": "a predicted output is not kept",
}
OWN_TOOLS = (None, "function", "custom")  # that the caller runs
# A URL of any scheme but data, however that is written; the literal start makes it quick to find.
REMOTE_URL = re.compile(rb'url":"(?: |\\[nrt])*(?:(?!(?i:data):)[A-Za-z][A-Za-z0-9+.-]*:|//)')
REMOTE_FILES = (b'"file_uri":"', b'"file_id":"')
CITED = b'"citations":{"enabled":true'


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """`ttl_s` is 0 for a call that is neither looked up nor kept."""

    ttl_s: int
    reads: bool
    why: str

    @property
    def is_on(self) -> bool:
        return self.ttl_s > 0


def off(why: str) -> Verdict:
    return Verdict(0, reads=False, why=why)


NOT_ASKED = off("off unless the policy or the request asks for it")
OBSERVED = off("calls of an experiment always ask a provider")
NOT_ENABLED = off("caching is not switched on for this tenant")


def wished(
    chat: ChatRequest,
    wishes: Options,
    terms: Terms | None,
    headers: Iterable[tuple[bytes, bytes]],
) -> Verdict:
    """What policy and request want, and whether such a call may be kept at all."""
    by_policy = terms.cache_ttl_s if terms else None
    if by_policy is None and not wishes.cache:  # as most calls are
        return NOT_ASKED
    if by_policy == 0:
        return off("the policy says never")
    said = _cache_control(headers)
    if wishes.cache == "off" or "no-store" in said:
        return off("the request says no")
    if reason := _unfit(chat, wishes):
        return off(reason)
    ttl_s = wishes.cache_ttl_s or by_policy or USUAL_TTL_S
    if wishes.cache == "refresh" or "no-cache" in said:
        return Verdict(ttl_s, reads=False, why="the request asks for a fresh answer")
    why = "the request asks for it" if wishes.cache else "the policy asks for it"
    return Verdict(ttl_s, reads=True, why=why)


def unfit_content(text: bytes) -> str:
    """Why a request in its canonical form may not be kept; empty if it may."""
    if REMOTE_URL.search(text) or any(mark in text for mark in REMOTE_FILES):
        return "it points at something outside the request, which may change"
    return "citations are not kept" if CITED in text else ""


def _unfit(chat: ChatRequest, wishes: Options) -> str:
    body = chat.body
    if chat.kind != "chat":
        return "only chats are kept"
    if chat.size > LARGEST_REQUEST:
        return f"the request is larger than {LARGEST_REQUEST // 1024} KiB"
    if body.get("n") not in (None, 1):
        return "more than one answer is asked for"
    if wishes.simulation is not None:
        return "a rehearsal of faults always asks the providers"
    return _not_exact(body) or _tools(body, by_request=wishes.cache in {"on", "refresh"})


def _not_exact(body: Body) -> str:
    if body.get("logprobs"):
        return NOT_KEPT["top_logprobs"]
    for name, reason in NOT_KEPT.items():
        if body.get(name):
            return reason
    for name in STATEFUL:
        if body.get(name):
            return f"{name} makes the answer depend on more than the request"
    modalities = body.get("modalities")
    return NOT_KEPT["audio"] if isinstance(modalities, list) and modalities != ["text"] else ""


def _tools(body: Body, *, by_request: bool) -> str:
    tools = body.get("tools") or body.get("functions")
    if not tools:
        return ""
    kinds = [tool.get("type") if isinstance(tool, dict) else "" for tool in tools]
    if not all(kind in OWN_TOOLS for kind in kinds):
        return "a tool that runs at the provider makes the answer depend on more than the request"
    return "" if by_request else "calls with tools are kept only by x-flo2-cache: on"


def _cache_control(headers: Iterable[tuple[bytes, bytes]]) -> set[str]:
    for name, value in headers:
        if name == b"cache-control":
            return {one.strip().lower() for one in value.decode("latin-1").split(",")}
    return set()
