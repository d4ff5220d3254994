"""Faults that a test key may rehearse: `x-flo2-simulate: groq=429,cerebras=timeout`. Pure."""

import re
from dataclasses import dataclass

from accounts.errors import InvalidRequest

FAULTS = frozenset(
    {
        "400", "400credit", "401", "402", "403", "404", "408", "413", "422", "429", "429quota",
        "498", "500", "502", "503", "529", "refused", "reset", "timeout", "stall", "empty",
        "garbage", "nokey",
    }
)  # fmt: skip
_CUT = re.compile(r"cut@[0-9]{1,4}")
_SLOW = re.compile(r"slow@[0-9]{1,6}")


@dataclass(frozen=True, slots=True)
class Simulation:
    """What each provider shall do wrong, by its slug."""

    faults: tuple[tuple[str, str], ...]

    @classmethod
    def read(cls, name: str, text: str) -> "Simulation":
        """Raises InvalidRequest for anything that is not `provider=fault,…`."""
        faults = []
        for part in filter(None, (part.strip() for part in text.split(","))):
            provider, separator, fault = part.partition("=")
            if not separator or not is_fault(fault.strip()):
                raise InvalidRequest(
                    f"{name}: write provider=fault, with a fault of"
                    f" {' '.join(sorted(FAULTS))} cut@N slow@MS."
                )
            faults.append((provider.strip(), fault.strip()))
        return cls(tuple(faults))

    def of(self, provider: str) -> str:
        """The fault of a provider, or empty."""
        return next((fault for slug, fault in self.faults if slug == provider), "")

    @property
    def providers(self) -> tuple[str, ...]:
        return tuple(slug for slug, _ in self.faults)


def is_fault(text: str) -> bool:
    return text in FAULTS or bool(_CUT.fullmatch(text) or _SLOW.fullmatch(text))
