"""All providers."""

from routing.sandbox.providers import (
    anthropic,
    cerebras,
    deepinfra,
    gemini,
    groq,
    mistral,
    nvidia,
    openai,
    openrouter,
    xai,
)

PROFILES = (
    *cerebras.PROFILES,
    *openai.PROFILES,
    *anthropic.PROFILES,
    *groq.PROFILES,
    *gemini.PROFILES,
    *deepinfra.PROFILES,
    *mistral.PROFILES,
    *xai.PROFILES,
    *openrouter.PROFILES,
    *nvidia.PROFILES,
)
