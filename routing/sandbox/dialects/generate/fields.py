"""Fields of Google's messages: known by a camel-case name, and as well by its snake-case form."""

from typing import Any

from routing.sandbox.names import listed
from routing.sandbox.problems import Cause
from routing.sandbox.profile import Exchange, Json

REQUEST = listed(
    "contents systemInstruction tools toolConfig safetySettings generationConfig "
    "cachedContent labels model store serviceTier"
)
CONFIG = listed(
    "stopSequences responseMimeType responseSchema responseJsonSchema _responseJsonSchema "
    "responseModalities candidateCount maxOutputTokens temperature topP topK seed "
    "presencePenalty frequencyPenalty responseLogprobs logprobs "
    "enableEnhancedCivicAnswers speechConfig thinkingConfig imageConfig mediaResolution"
)
THINKING = listed("includeThoughts thinkingBudget thinkingLevel")
CONTENT = frozenset({"role", "parts"})
PART = listed(
    "text inlineData fileData functionCall functionResponse executableCode "
    "codeExecutionResult thought thoughtSignature videoMetadata partMetadata "
    "mediaResolution"
)


def camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest) if first else name


def read(exchange: Exchange, value: Any, known: frozenset[str], *place: str | int) -> Json:
    """The object with its names in camel case. Refuses names that the message does not have."""
    if not isinstance(value, dict):
        raise exchange.refuse(Cause.INVALID, *place, reason="expected an object")
    named = {camel(name): inner for name, inner in value.items()}
    for name, written in zip(named, value, strict=True):
        if name not in known:
            raise exchange.refuse(Cause.UNKNOWN, *place, written)
    return named
