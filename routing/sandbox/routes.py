"""From a path to a provider's endpoint."""

from collections.abc import Iterable
from dataclasses import dataclass

from routing.sandbox.profile import Endpoint, Profile

_NAME = "{name}"


@dataclass(frozen=True, slots=True)
class Target:
    """Whom a path means; without an endpoint it is a path that this provider does not have."""

    profile: Profile
    endpoint: Endpoint | None = None
    name: str = ""  # what the path holds in place of {name}


class Routes:
    """Paths are `/<slug><path at the provider>`."""

    def __init__(self, profiles: Iterable[Profile]) -> None:
        self._exact: dict[tuple[str, str], Target] = {}
        self._named: list[tuple[str, str, str, Target]] = []
        self._slugs: dict[str, Profile] = {}
        for profile in profiles:
            self._slugs.setdefault(profile.slug, profile)
            for route, endpoint in profile.routes.items():
                method, _, path = route.partition(" ")
                self._add(method, f"/{profile.slug}{path}", Target(profile, endpoint))

    def _add(self, method: str, path: str, target: Target) -> None:
        if _NAME in path:
            before, _, after = path.partition(_NAME)
            self._named.append((method, before, after, target))
        else:
            self._exact[method, path] = target

    def find(self, method: str, path: str) -> Target | None:
        """The target of a path; None where not even the provider is known."""
        found = self._exact.get((method, path))
        if found is not None:
            return found
        for wanted, before, after, target in self._named:
            if method == wanted and path.startswith(before) and path.endswith(after):
                name = path[len(before) : len(path) - len(after)]
                if name:
                    return Target(target.profile, target.endpoint, name)
        profile = self._slugs.get(path.split("/")[1])
        return Target(profile) if profile else None
