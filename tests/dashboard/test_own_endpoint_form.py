"""A key of a tenant's own endpoint names its address on the providers page."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from accounts.models import ProviderKey
from accounts.tenancy import tenant_scope
from routing.providers import catalog_index
from tests.dashboard.conftest import World
from tests.dashboard.reading import text

PAGE = "/dashboard/providers/"
URL = "https://llm.acme-corp.com/v1"
SECRET = "a-secret-of-ours"


@pytest.fixture
def allowed(settings: Any) -> Iterator[None]:
    settings.FLO2_ALLOW_CUSTOM = True
    catalog_index.current.cache_clear()
    yield
    catalog_index.current.cache_clear()


def add(owner: Client, url: str) -> Any:
    form = {"provider": "custom", "secret": SECRET, "base_url": url}
    return owner.post(PAGE, form, follow=True)


def custom_keys(world: World) -> list[ProviderKey]:
    with tenant_scope(world.tenant.pk):
        return list(ProviderKey.objects.for_tenant(world.tenant).filter(provider="custom"))


def test_the_card_asks_for_an_address_and_names_no_page_of_keys(
    allowed: None, owner: Client
) -> None:
    page = owner.get(PAGE).content.decode()
    card = page.split('id="custom"')[1].split("</section>")[0]

    assert "Base URL" in card
    assert "made here" not in card
    assert page.count('name="base_url"') == 1


def test_without_the_operators_leave_there_is_no_card(owner: Client) -> None:
    page = owner.get(PAGE).content.decode()

    assert 'id="custom"' not in page
    assert 'name="base_url"' not in page


def test_a_key_is_kept_with_its_address(allowed: None, owner: Client, world: World) -> None:
    add(owner, f"{URL}/")

    assert [key.base_url for key in custom_keys(world)] == [URL]


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("", "This field is required"),
        ("http://llm.acme-corp.com/v1", "must start with https://"),
        ("http://127.0.0.1:11434/v1", "named by the operator alone"),
        ("https://localhost/v1", "named by the operator alone"),
        ("https://10.0.0.1/v1", "named by the operator alone"),
        ("https://169.254.169.254/latest", ""),
        ("https://llm.acme-corp.com:22/v1", "port"),
    ],
)
def test_an_address_that_is_not_public_is_refused(
    url: str, complaint: str, allowed: None, owner: Client, world: World
) -> None:
    answer = add(owner, url)

    assert answer.status_code == 422
    assert complaint in text(answer)
    assert SECRET not in answer.content.decode()
    assert custom_keys(world) == []


def test_other_providers_keep_the_address_that_they_have(
    allowed: None, owner: Client, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLO2_PROVIDER_OPENAI_BASE_URL", "http://127.0.0.1:9/v1")  # nobody
    form = {"provider": "openai", "secret": "sk-proj-0123456789abcdef", "base_url": URL}
    owner.post(PAGE, form, follow=True)

    with tenant_scope(world.tenant.pk):
        assert not ProviderKey.objects.for_tenant(world.tenant).filter(base_url=URL).exists()
