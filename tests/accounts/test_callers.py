"""Who is calling: recognised from memory, and no longer than the key is good."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from pytest_django import Settings

from accounts import audit, callers, changes, gateway_keys, members, tenancy, tokens
from accounts.callers import Caller, Ration
from accounts.errors import (
    AddressNotAllowed,
    InvalidApiKey,
    KeyExpired,
    TenantSuspended,
    Unavailable,
)
from accounts.gateway_keys import Issued
from tests.accounts.databases import away
from tests.accounts.deadlines import eventually
from tests.accounts.threads import polled_after_reading
from tests.factories.accounts import ProjectFactory, TenantFactory, issue_gateway_key

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
CALLS = 1000


def recognised(text: str) -> Caller:
    return asyncio.run(callers.recognise(text))


def is_refused(text: str) -> bool:
    try:
        asyncio.run(callers.recognise(text))
    except InvalidApiKey:
        return True
    return False


def revoke(issued: Issued) -> None:
    with tenancy.tenant_scope(issued.record.tenant_id):
        gateway_keys.revoke(issued.record, actor=audit.SYSTEM, now=NOW)


@pytest.mark.django_db(transaction=True)
def test_a_key_is_recognised_with_all_that_it_may_do(fresh: changes.Feed) -> None:
    tenant = TenantFactory.create()
    project = ProjectFactory.create(tenant=tenant, name="web")
    issued = issue_gateway_key(
        tenant, mode="test", project="web", allowed_models=["groq/*"], expires_at=NOW
    )

    caller = recognised(issued.text.reveal())

    assert (caller.tenant_id, caller.key_id) == (tenant.pk, issued.record.pk)
    assert caller.tenant.startswith("ten_")
    assert caller.key.startswith("key_")
    assert caller.is_test
    assert caller.project_id == project.pk
    assert caller.lineage == issued.record.lineage
    assert caller.expires_at == NOW
    assert caller.may_use("groq/llama-3.3-70b")
    assert not caller.may_use("openai/gpt-4.1")


@pytest.mark.django_db(transaction=True)
def test_a_thousand_calls_of_a_warm_key_ask_the_database_nothing(fresh: changes.Feed) -> None:
    text = issue_gateway_key(TenantFactory.create()).text.reveal()
    warm = recognised(text)

    async def call_often() -> list[Caller]:
        return [await callers.recognise(text) for _ in range(CALLS)]

    with away():
        assert asyncio.run(call_often()) == [warm] * CALLS
        changes.feed.poll()
        assert callers.recognise_cached(text) is warm


@pytest.mark.django_db(transaction=True)
def test_malformed_keys_are_refused_without_a_query(fresh: changes.Feed) -> None:
    text = tokens.make("live")
    typos = [text[:place] + "-" + text[place + 1 :] for place in range(len(text))]
    with away():
        for typo in [*typos, "", "flo2_live_", "sk-proj-abc", text + "a", "é" * 52]:
            with pytest.raises(InvalidApiKey):
                recognised(typo)


@pytest.mark.django_db(transaction=True)
def test_an_unknown_key_is_looked_up_once_and_then_remembered(fresh: changes.Feed) -> None:
    text = tokens.make("live")

    assert is_refused(text)
    with away():
        assert is_refused(text)


@pytest.mark.django_db(transaction=True)
def test_a_hundred_first_calls_at_once_share_one_look_up(
    fresh: changes.Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = issue_gateway_key(TenantFactory.create()).text.reveal()
    monkeypatch.setattr(callers, "_ration", Ration(1, clock=lambda: 0.0))

    async def call_at_once() -> list[Caller]:
        return await asyncio.gather(*(callers.recognise(text) for _ in range(100)))

    assert len({id(caller) for caller in asyncio.run(call_at_once())}) == 1


@pytest.mark.django_db(transaction=True)
def test_without_the_database_an_unseen_key_is_unavailable_and_not_wrong(
    fresh: changes.Feed,
) -> None:
    known, unknown = issue_gateway_key(TenantFactory.create()).text.reveal(), tokens.make("test")
    with away():
        for text in (known, unknown):
            with pytest.raises(Unavailable) as refusal:
                recognised(text)
            assert refusal.value.http_status == 503
    assert recognised(known)
    assert is_refused(unknown)


@pytest.mark.django_db(transaction=True)
def test_memory_serves_for_a_minute_without_the_database_and_no_longer(
    fresh: changes.Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = issue_gateway_key(TenantFactory.create()).text.reveal()
    warm = recognised(text)
    with away():
        monkeypatch.setattr(changes.feed, "_good_at", changes.feed._good_at - 58)
        assert callers.recognise_cached(text) is None
        assert recognised(text) is warm
        monkeypatch.setattr(changes.feed, "_good_at", changes.feed._good_at - 5)
        with pytest.raises(Unavailable):
            recognised(text)


@pytest.mark.django_db(transaction=True)
def test_a_revoked_key_is_refused_within_a_second(feed: changes.Feed) -> None:
    tenant, seconds = TenantFactory.create(), []
    for _ in range(3):
        issued = issue_gateway_key(tenant)
        text = issued.text.reveal()
        assert recognised(text)
        revoke(issued)
        seconds.append(_until_refused(text))

    assert min(seconds) <= 1.0  # the best of three: the machine may be busy


def _until_refused(text: str) -> float:
    return eventually(lambda: is_refused(text))


@pytest.mark.django_db(transaction=True)
def test_revoking_one_key_leaves_the_others_in_memory(fresh: changes.Feed) -> None:
    tenant = TenantFactory.create()
    kept, gone = issue_gateway_key(tenant), issue_gateway_key(tenant)
    recognised(kept.text.reveal())
    recognised(gone.text.reveal())
    revoke(gone)
    fresh.poll()

    assert callers.recognise_cached(kept.text.reveal()) is not None
    assert callers.recognise_cached(gone.text.reveal()) is None
    assert is_refused(gone.text.reveal())


@pytest.mark.django_db(transaction=True)
def test_a_suspended_tenant_is_recognised_and_refused_until_it_is_restored(
    fresh: changes.Feed,
) -> None:
    tenant, other = TenantFactory.create(), TenantFactory.create()
    text, bystander = (issue_gateway_key(its).text.reveal() for its in (tenant, other))
    recognised(text)
    warm = recognised(bystander)
    members.suspend(tenant, reason="spam", actor=audit.SYSTEM, now=NOW)
    fresh.poll()

    with pytest.raises(TenantSuspended):
        callers.admit(recognised(text), address="", now_epoch=0)
    assert callers.recognise_cached(bystander) is warm
    members.restore(tenant, reason="sorted out", actor=audit.SYSTEM)
    fresh.poll()
    callers.admit(recognised(text), address="", now_epoch=0)


@pytest.mark.django_db(transaction=True)
def test_of_the_keys_limit_and_the_operators_the_lower_one_holds(fresh: changes.Feed) -> None:
    tenant = TenantFactory.create()
    keys = [issue_gateway_key(tenant, requests_per_minute=most).text for most in (5, 9, None)]
    before = [recognised(key.reveal()).requests_per_minute for key in keys]

    members.set_limits(tenant, {"key_requests_per_minute": 7}, actor=audit.SYSTEM)
    fresh.poll()

    assert before == [5, 9, None]
    assert [recognised(key.reveal()).requests_per_minute for key in keys] == [5, 7, 7]


@pytest.mark.django_db(transaction=True)
def test_a_key_that_is_read_while_the_feed_brings_news_is_not_remembered(
    fresh: changes.Feed,
) -> None:
    tenant = TenantFactory.create()
    text, other = issue_gateway_key(tenant).text.reveal(), issue_gateway_key(tenant)
    fingerprint = callers._fingerprint(text)
    revoke(other)  # whatever the news is, what was read may be older

    with polled_after_reading("accounts_gatewaykey") as read:
        assert callers._load(text, fingerprint) is not None

    assert len(read) == 1
    assert callers.recognise_cached(text) is None
    assert callers._load(text, fingerprint) is not None
    assert callers.recognise_cached(text) is not None


@pytest.mark.django_db(transaction=True)
def test_a_rolled_key_and_its_successor_both_work_during_the_overlap(fresh: changes.Feed) -> None:
    tenant = TenantFactory.create()
    old = issue_gateway_key(tenant)
    recognised(old.text.reveal())
    with tenancy.tenant_scope(tenant.pk):
        new = gateway_keys.roll(old.record, overlap=timedelta(hours=1), actor=audit.SYSTEM, now=NOW)
    fresh.poll()
    before, after = recognised(old.text.reveal()), recognised(new.text.reveal())
    in_between, later = NOW.timestamp() + 3599, NOW.timestamp() + 3600

    callers.admit(before, address="", now_epoch=in_between)
    callers.admit(after, address="", now_epoch=later)
    with pytest.raises(KeyExpired, match="2026-11-20T13:00:00"):
        callers.admit(before, address="", now_epoch=later)
    assert before.lineage == after.lineage


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("address", "admitted"),
    [
        ("10.1.2.3", True),
        ("::ffff:10.1.2.3", True),
        ("2001:db8::77", True),
        ("11.1.2.3", False),
        ("2001:db9::77", False),
        ("", False),
        ("unknown", False),
        ("10.1.2.3, 1.1.1.1", False),
    ],
)
def test_a_key_bound_to_networks_works_from_there_alone(
    fresh: changes.Feed, address: str, admitted: bool
) -> None:
    tenant = TenantFactory.create()
    issued = issue_gateway_key(tenant, allowed_cidrs=["10.0.0.0/8", "2001:db8::/32"])
    caller = recognised(issued.text.reveal())

    if admitted:
        callers.admit(caller, address=address, now_epoch=0)
    else:
        with pytest.raises(AddressNotAllowed, match=address or "an unknown address"):
            callers.admit(caller, address=address, now_epoch=0)


@pytest.mark.django_db(transaction=True)
def test_an_unbound_key_works_from_anywhere_for_ever(fresh: changes.Feed) -> None:
    caller = recognised(issue_gateway_key(TenantFactory.create()).text.reveal())

    callers.admit(caller, address="", now_epoch=1e12)
    assert caller.may_use("any/model-at.all")


@pytest.mark.django_db(transaction=True)
def test_a_management_key_is_no_gateway_key(fresh: changes.Feed) -> None:
    tenant = TenantFactory.create()
    with tenancy.tenant_scope(tenant.pk):
        text = gateway_keys.issue_management_key(tenant, name="CI", actor=audit.SYSTEM).reveal()

    assert is_refused(text)


@pytest.mark.django_db(transaction=True)
def test_keys_of_the_old_pepper_work_while_the_new_one_is_first(
    fresh: changes.Feed, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = TenantFactory.create()
    before = issue_gateway_key(tenant).text.reveal()
    new = "bmV3LXBlcHBlci0wMTIzNDU2Nzg5YWJjZGVmZ2hpams="
    settings.FLO2_KEY_PEPPERS = f"new:{new},{settings.FLO2_KEY_PEPPERS}"
    after = issue_gateway_key(tenant).text.reveal()

    assert recognised(before).tenant_id == recognised(after).tenant_id == tenant.pk
    assert callers.recognise_cached(before)
    settings.FLO2_KEY_PEPPERS = f"new:{new}"
    monkeypatch.setattr(callers, "_callers", {})  # peppers change with a restart
    assert recognised(after)
    assert is_refused(before)


class TestTheFloodRation:
    def test_a_ration_gives_its_rate_at_once_and_then_by_time(self) -> None:
        clock = [0.0]
        ration = Ration(5, clock=lambda: clock[0])

        assert [ration.take() for _ in range(7)] == [True] * 5 + [False] * 2
        clock[0] = 0.4
        assert [ration.take() for _ in range(3)] == [True, True, False]
        clock[0] = 100.0
        assert [ration.take() for _ in range(7)] == [True] * 5 + [False] * 2

    @pytest.mark.django_db(transaction=True)
    def test_a_flood_of_invented_keys_is_unavailable_and_warm_keys_are_not(
        self, fresh: changes.Feed, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        text = issue_gateway_key(TenantFactory.create()).text.reveal()
        warm = recognised(text)
        monkeypatch.setattr(callers, "_ration", Ration(3, clock=lambda: 0.0))

        async def flood() -> list[object]:
            invented = [callers.recognise(tokens.make("live")) for _ in range(50)]
            return list(await asyncio.gather(*invented, return_exceptions=True))

        answers = [type(answer) for answer in asyncio.run(flood())]

        assert answers.count(InvalidApiKey) == 3
        assert answers.count(Unavailable) == 47
        assert recognised(text) is warm

    @pytest.mark.django_db(transaction=True)
    def test_what_is_remembered_of_a_flood_is_bounded(
        self, fresh: changes.Feed, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(callers, "_UNKNOWN_LIMIT", 10)
        for _ in range(15):
            assert is_refused(tokens.make("live"))

        assert len(callers._unknown) <= 10
