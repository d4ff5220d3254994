"""A mark for each provider: two letters of its name on a tile in one of the chart's colours."""

from dataclasses import dataclass
from functools import lru_cache

from routing.providers import catalog_index

TINTS = 7  # as many as the chart palette has colours


@dataclass(frozen=True)
class Mark:
    letters: str
    tint: int  # index into the palette


@lru_cache(maxsize=256)
def of_provider(slug: str) -> Mark:
    """The colour goes by the provider's place in the catalogue, so it is the same on every page."""
    return Mark(letters_of(label_of(slug)), tint_of(slug))


def tint_of(slug: str) -> int:
    providers = list(catalog_index.current().providers)
    return providers.index(slug) % TINTS if slug in providers else TINTS - 1


def label_of(slug: str) -> str:
    """A provider's own spelling of its name."""
    provider = catalog_index.current().providers.get(slug)
    return provider.label if provider else slug


def letters_of(label: str) -> str:
    """The first two capitals of a name, or its first two letters.

    >>> [letters_of(label) for label in ("OpenRouter", "Groq", "xAI", "NVIDIA NIM")]
    ['OR', 'Gr', 'AI', 'NV']
    """
    capitals = [character for character in label if character.isupper()]
    if len(capitals) >= 2:
        return "".join(capitals[:2])
    return label[:2].capitalize()
