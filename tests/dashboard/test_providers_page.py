"""Paste a provider's key: what the page says, and what it never says."""

from collections.abc import Iterator

import pytest
from django.db.models import QuerySet
from django.test import Client

from accounts import ids, provider_keys
from accounts.models import ProviderKey
from accounts.tenancy import tenant_scope
from tests.dashboard.conftest import World
from tests.dashboard.fake_provider import FakeProvider, running
from tests.dashboard.reading import text
from tests.factories.accounts import TenantFactory, add_provider_key

GOOD, BAD = "gsk_good0123456789abcd", "gsk_bad00123456789wxyz"
PAGE = ADD = "/dashboard/providers/"


@pytest.fixture
def groq(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeProvider]:
    with running(GOOD) as provider:
        monkeypatch.setenv("FLO2_PROVIDER_GROQ_BASE_URL", provider.url)
        yield provider


def keys_of(world: World) -> list[ProviderKey]:
    """Without the one that every world has."""
    with tenant_scope(world.tenant.pk):
        rows = ProviderKey.objects.for_tenant(world.tenant).exclude(pk=world.provider_key.pk)
        return list(rows.select_related("tenant"))


def path_of(key: ProviderKey, action: str) -> str:
    return f"/dashboard/providers/{ids.show('pkey', key.pk)}/{action}/"


def test_a_good_key_is_saved_verified_and_said_to_work(
    owner: Client, world: World, groq: FakeProvider
) -> None:
    form = {"provider": "groq", "secret": f' "Bearer {GOOD}" ', "label": "team"}

    answer = owner.post(ADD, form, follow=True)

    [key] = keys_of(world)
    assert (key.status, key.models_found, key.label, key.last4) == ("valid", 2, "team", "abcd")
    assert groq.seen_keys == [GOOD]
    said = text(answer)
    assert "Groq accepts the key ending in abcd." in said
    assert "2 models found." in said
    assert said.count("an address that the operator of this installation has set") == 1
    assert GOOD not in answer.content.decode()


def test_a_refused_key_is_kept_with_the_reason(
    owner: Client, world: World, groq: FakeProvider
) -> None:
    answer = owner.post(ADD, {"provider": "groq", "secret": BAD}, follow=True)

    [key] = keys_of(world)
    assert key.status == "invalid"
    assert "Groq: Invalid API Key." in text(answer)
    assert BAD not in answer.content.decode()


def test_a_provider_that_cannot_be_asked_leaves_the_key_unverified(
    owner: Client, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLO2_PROVIDER_GROQ_BASE_URL", "http://127.0.0.1:1/openai/v1")

    answer = owner.post(ADD, {"provider": "groq", "secret": GOOD}, follow=True)

    assert [key.status for key in keys_of(world)] == ["unverified"]
    assert "The provider could not be asked yet." in text(answer)


def test_what_cannot_be_a_key_is_said_at_the_field_and_not_shown_again(
    owner: Client, world: World
) -> None:
    answer = owner.post(ADD, {"provider": "groq", "secret": "two words"})

    assert answer.status_code == 422
    assert "secret holds blanks: paste one key." in text(answer)
    assert "two words" not in answer.content.decode()
    assert keys_of(world) == []


def test_an_empty_field_asks_for_the_key(owner: Client) -> None:
    answer = owner.post(ADD, {"provider": "groq", "secret": ""})

    assert "Paste the key first." in text(answer)


@pytest.mark.parametrize("provider", ["acme", "", "%00", "%s%s", "🦀"])
def test_an_unknown_provider_is_refused(provider: str, owner: Client, world: World) -> None:
    assert owner.post(ADD, {"provider": provider, "secret": GOOD}).status_code == 422
    assert keys_of(world) == []


def test_a_key_of_another_provider_is_a_question_and_goes_to_nobody(
    owner: Client, world: World, groq: FakeProvider
) -> None:
    secret = "sk-or-v1-0123456789abcdef"

    answer = owner.post(ADD, {"provider": "groq", "secret": secret}, follow=True)

    [key] = keys_of(world)
    assert "This looks like a key of OpenRouter. Save it there?" in text(answer)
    assert (key.provider, key.enabled, groq.seen_keys) == ("groq", False, [])
    assert secret not in answer.content.decode()


def test_the_question_is_answered_by_moving_the_key(
    owner: Client, world: World, groq: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLO2_PROVIDER_CEREBRAS_BASE_URL", groq.url)
    owner.post(ADD, {"provider": "groq", "secret": "csk-0123456789abcdef", "label": "mine"})
    [key] = keys_of(world)

    answer = owner.post(path_of(key, "move"), follow=True)

    [moved] = keys_of(world)
    assert (moved.provider, moved.label, moved.enabled) == ("cerebras", "mine", True)
    assert provider_keys.open_secret(moved).reveal() == "csk-0123456789abcdef"
    assert "This looks like a key" not in text(answer)


def test_the_question_is_answered_by_keeping_the_key(
    owner: Client, world: World, groq: FakeProvider
) -> None:
    owner.post(ADD, {"provider": "groq", "secret": "csk-0123456789abcdef"})
    [key] = keys_of(world)

    answer = owner.post(path_of(key, "verify"), follow=True)

    [kept] = keys_of(world)
    assert (kept.provider, kept.enabled, kept.status) == ("groq", True, "invalid")
    assert groq.seen_keys == ["csk-0123456789abcdef"]
    assert "This looks like a key" not in text(answer)


def test_a_key_about_which_nothing_was_asked_cannot_be_moved(owner: Client, world: World) -> None:
    assert owner.post(path_of(world.provider_key, "move")).status_code == 404


def test_a_key_is_verified_again(owner: Client, world: World, groq: FakeProvider) -> None:
    groq.good_key = provider_keys.open_secret(world.provider_key).reveal()

    answer = owner.post(path_of(world.provider_key, "verify"), follow=True)

    assert "Works" in text(answer)


def test_a_script_gets_the_card_alone(owner: Client, world: World, groq: FakeProvider) -> None:
    form = {"provider": "groq", "secret": GOOD}

    answer = owner.post(ADD, form, headers={"HX-Request": "true"})

    body = answer.content.decode()
    assert body.lstrip().startswith('<section class="card provider" id="groq"')
    assert "<html" not in body


def test_a_replaced_key_is_verified_and_keeps_its_place(
    owner: Client, world: World, groq: FakeProvider
) -> None:
    answer = owner.post(path_of(world.provider_key, "replace"), {"secret": GOOD}, follow=True)

    with tenant_scope(world.tenant.pk):
        key = ProviderKey.objects.for_tenant(world.tenant).select_related("tenant").get()
    assert (key.pk, key.last4, key.status) == (world.provider_key.pk, "abcd", "valid")
    assert provider_keys.open_secret(key).reveal() == GOOD
    assert GOOD not in answer.content.decode()


def test_label_weight_and_use_are_changed(owner: Client, world: World) -> None:
    form = {"label": "backup", "weight": "3"}  # the box is not ticked

    owner.post(path_of(world.provider_key, "edit"), form)

    with tenant_scope(world.tenant.pk):
        key = rows(world).get()
    assert (key.label, key.weight, key.enabled) == ("backup", 3, False)


def test_a_weight_out_of_range_is_said_at_the_field(owner: Client, world: World) -> None:
    answer = owner.post(path_of(world.provider_key, "edit"), {"label": "", "weight": "5000"})

    assert "less than or equal to 1000" in text(answer)


def test_deleting_asks_first_and_then_deletes(owner: Client, world: World) -> None:
    path = path_of(world.provider_key, "delete")

    assert "nobody can bring them back" in text(owner.get(path))
    assert is_there(world)

    owner.post(path)
    assert not is_there(world)


def test_the_page_shows_no_key_of_another_tenant(owner: Client) -> None:
    add_provider_key(TenantFactory.create(), secret="gsk_0123456789_theirs")

    assert "heirs" not in text(owner.get(PAGE))


def is_there(world: World) -> bool:
    with tenant_scope(world.tenant.pk):
        return rows(world).exists()


def rows(world: World) -> QuerySet[ProviderKey]:
    return ProviderKey.objects.for_tenant(world.tenant)


def test_a_key_whose_provider_left_the_catalogue_refreshes_the_page(
    owner: Client, world: World
) -> None:
    key = add_provider_key(world.tenant, provider="gone")

    answer = owner.post(path_of(key, "verify"), headers={"HX-Request": "true"})

    assert (answer.status_code, answer.headers["HX-Refresh"]) == (200, "true")
    assert "gone is not offered here any more." in text(owner.get(PAGE))
