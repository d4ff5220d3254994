"""A conversation of another dialect, written as a request for Anthropic."""

import re

import msgspec

from accounts.errors import InvalidRequest
from routing.conversation import Conversation
from routing.providers.spec import ModelOffer, Quirks
from routing.wire.anthropic import thinking, tools, turns
from routing.wire.anthropic.fields import Json
from routing.wire.sides import Written

PATH = b"/messages"
LONGEST_USER = 512

_encode = msgspec.json.Encoder().encode
# Anthropic refuses ids of users that tell who they are.
_PERSONAL = re.compile(r"@|^\+?[\d\s().-]{7,}$")
_TIERS = {"default": "standard_only"}


def write_conversation(
    conversation: Conversation,
    *,
    model: str,
    offer: ModelOffer | None,
    quirks: Quirks,
    stream: bool,
) -> Written:
    """The whole request. Raises InvalidRequest for what Claude can never be asked."""
    if (conversation.n or 1) > 1:
        raise InvalidRequest("n: Claude gives one answer; send the request n times.", param="n")
    adapted = list(conversation.untranslatable)
    box = tools.write(conversation, offer, quirks, adapted)
    messages = turns.write(conversation, quirks, adapted)
    plan = thinking.write(
        conversation.reasoning,
        quirks,
        max_tokens=conversation.max_tokens,
        most=offer.output if offer else None,
        allowed=not box.is_forced,
        by_budget=turns.may_think_by_budget(messages),
        adapted=adapted,
    )
    turns.close(messages, may_prefill=quirks.prefill and not plan.thinks, adapted=adapted)
    system = turns.system_of(conversation, box.advice)
    body: Json = {"model": model, "max_tokens": plan.max_tokens, "messages": messages}
    body |= _optional(
        system=system,
        tools=box.tools,
        tool_choice=box.choice,
        thinking=plan.thinking,
        output_config=_optional(effort=plan.effort, format=box.format),
        stop_sequences=_stop(conversation, adapted),
        metadata=_metadata(conversation, adapted),
        service_tier=_tier(conversation),
        stream=stream,
    )
    body |= _sampling(conversation, quirks, adapted, thinks=plan.thinks)
    adapted += [name for name in quirks.drop if body.pop(name, None) is not None]
    marked = [*box.tools, *system, *(block for turn in messages for block in turn["content"])]
    turns.limit_marks(marked)
    adapted += [name for name, value in conversation.others.items() if _is_lost(name, value)]
    if conversation.seed is not None:
        adapted.append("seed")
    return Written(path=PATH, body=_encode(body), adapted=tuple(dict.fromkeys(adapted)))


def _sampling(
    conversation: Conversation, quirks: Quirks, adapted: list[str], *, thinks: bool
) -> Json:
    """Temperature from 0 to 1, and next to nothing of it while the model thinks."""
    asked = {
        "temperature": conversation.temperature,
        "top_p": conversation.top_p,
        "top_k": conversation.top_k,
    }
    found: Json = {name: value for name, value in asked.items() if value is not None}
    if found.get("temperature", 0) > 1:
        found["temperature"] = 1
        adapted.append("temperature")
    refused = set()
    if thinks:
        refused |= {"top_k"} | ({"temperature"} if found.get("temperature") != 1 else set())
        refused |= {"top_p"} if found.get("top_p", 1) < 0.95 else set()
    if quirks.one_sampler and "temperature" in found.keys() - refused:
        refused.add("top_p")
    adapted += sorted(refused & found.keys())
    return {name: value for name, value in found.items() if name not in refused}


def _stop(conversation: Conversation, adapted: list[str]) -> list[str]:
    """Stop sequences of white space alone are refused."""
    kept = [text for text in conversation.stop if text.strip()]
    if len(kept) < len(conversation.stop):
        adapted.append("stop")
    return kept


def _metadata(conversation: Conversation, adapted: list[str]) -> Json:
    user = conversation.user
    if not user:
        return {}
    if len(user) > LONGEST_USER or _PERSONAL.search(user):
        adapted.append("user")
        return {}
    return {"user_id": user}


def _tier(conversation: Conversation) -> str:
    tier = conversation.others.get("service_tier")
    return _TIERS.get(tier, "auto") if isinstance(tier, str) else ""


def _is_lost(name: str, value: object) -> bool:
    if name == "service_tier":
        return value not in ("auto", "default", None)
    return value is not None


def _optional(**fields: object) -> Json:
    return {name: value for name, value in fields.items() if value}
