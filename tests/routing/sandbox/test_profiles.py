"""The providers' data is complete: words for every fault, and a path for every dialect."""

import pytest

from routing.sandbox.faults import STATUSES
from routing.sandbox.profile import Profile
from routing.sandbox.providers.registry import PROFILES
from tests.routing.sandbox.speakers import ALL

ALWAYS = {"no_key", "bad_key", "no_credit", "limited", "model_missing", "malformed", "no_route"}
every_profile = pytest.mark.parametrize("profile", PROFILES, ids=lambda p: f"{p.slug} {p.auth[0]}")


@every_profile
def test_a_provider_has_words_for_every_fault(profile: Profile) -> None:
    assert profile.wording.named.keys() >= STATUSES | ALWAYS


@every_profile
def test_an_error_has_the_status_that_its_fault_names(profile: Profile) -> None:
    named = profile.wording.named

    assert all(named[fault].status == int(fault[:3]) for fault in STATUSES)


@every_profile
def test_a_provider_lists_models_and_its_first_token_takes_a_moment(profile: Profile) -> None:
    assert profile.models
    assert 20 <= profile.first_token_ms <= 60


def test_the_tests_speak_to_every_provider() -> None:
    assert {profile.slug for profile in PROFILES} == {speaker.slug for speaker in ALL}
    assert len({profile.slug for profile in PROFILES}) == 10
