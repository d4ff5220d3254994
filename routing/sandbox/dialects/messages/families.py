"""What each family of Claude takes and refuses: a table, the first row that fits counts.

Read from Anthropic's documentation and client tables of 2026-11; `GET /v1/models` is the truth.
"""

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Family:
    """A family's limits. `thinking` holds the types of `thinking` that it takes."""

    max_output: int = 128_000
    samples: bool = False  # takes temperature, top_p, top_k
    samples_both: bool = True  # temperature and top_p together
    thinking: frozenset[str] = frozenset({"adaptive", "disabled"})
    forces_tools: bool = True
    prefills: bool = False  # may be given the beginning of its answer
    system_turns: bool = True  # takes system messages between the turns


_ADAPTIVE = frozenset({"adaptive"})
_ANY = frozenset({"adaptive", "disabled", "enabled"})
_MANUAL = frozenset({"disabled", "enabled"})

_TABLE: tuple[tuple[str, Family], ...] = (
    ("sonnet-5-5", Family(thinking=_ADAPTIVE | {"between_tools"}, forces_tools=False)),
    ("opus-5-5", Family(thinking=_ADAPTIVE, forces_tools=False)),
    ("haiku-5-5", Family()),
    ("fable-5-1", Family(thinking=_ADAPTIVE, forces_tools=False)),
    ("(?:fable|mythos)-5", Family(thinking=_ADAPTIVE)),
    ("opus-5", Family(thinking=_ANY)),
    ("opus-4-[78]|sonnet-5", Family()),
    ("(?:opus|sonnet)-4-6", Family(samples=True, thinking=_ANY)),
    (
        "(?:opus|sonnet|haiku)-4-5",
        Family(64_000, samples=True, samples_both=False, thinking=_MANUAL, prefills=True,
               system_turns=False),
    ),
    ("opus-4|claude-opus-4-1",
     Family(32_000, samples=True, thinking=_MANUAL, prefills=True, system_turns=False)),
    ("sonnet-4|3-7-sonnet",
     Family(64_000, samples=True, thinking=_MANUAL, prefills=True, system_turns=False)),
    ("claude-3|claude-2|instant",
     Family(8_192, samples=True, thinking=frozenset({"disabled"}), prefills=True,
            system_turns=False)),
)  # fmt: skip

_FAMILIES = tuple((re.compile(pattern), family) for pattern, family in _TABLE)
_UNKNOWN = Family()


def family_of(model: str) -> Family:
    """The family of a model; one that nobody knows yet is taken for the newest kind."""
    name = model.replace(".", "-")
    return next((family for pattern, family in _FAMILIES if pattern.search(name)), _UNKNOWN)
