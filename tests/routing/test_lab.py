"""Experiments as programs manage them, and two people who do the same thing at once."""

import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from django.db import close_old_connections, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts import gateway_keys
from accounts.audit import SYSTEM
from accounts.errors import Conflict
from accounts.models import Tenant
from accounts.tenancy import tenant_scope
from routing import lab, policies
from routing.lab import ArmWish, Wish
from routing.models import Experiment
from routing.policy_terms import WrongFields
from tests.factories.accounts import TenantFactory
from tests.factories.experiments import draft_experiment, running_experiment

PATH = "/api/v1/experiments"


@pytest.fixture
def now() -> datetime:
    return timezone.now()


# The management API


@pytest.fixture
def tenant(db: None) -> Tenant:
    return TenantFactory.create()


@pytest.fixture
def asked(tenant: Tenant, client: Client) -> Callable[[str], Any]:
    with tenant_scope(tenant.pk):
        key = gateway_keys.issue_management_key(tenant, name="ops", actor=SYSTEM).reveal()
    return lambda path: client.get(path, headers={"authorization": f"Bearer {key}"}).json()


def test_a_list_of_many_experiments_takes_as_many_queries_as_one(
    tenant: Tenant, asked: Callable[[str], Any], now: datetime
) -> None:
    counts = []
    for name in ("one", "two", "three"):
        draft_experiment(tenant, now=now, name=name)
        with CaptureQueriesContext(connection) as queries:
            listed = asked(PATH)["results"]
        counts.append(len(queries))

    assert len(set(counts)) == 1
    assert {row["name"] for row in listed} == {"one", "two", "three"}
    assert [arm["name"] for arm in listed[0]["arms"]] == ["A", "B"]
    assert {(row["forecast"], row["warnings"]) for row in listed} == {(None, None)}


def test_a_draft_is_told_with_its_forecast_and_one_that_runs_without(
    tenant: Tenant, asked: Callable[[str], Any], now: datetime
) -> None:
    draft = draft_experiment(tenant, now=now, name="draft", policy="")
    running = running_experiment(tenant, now=now, name="running")

    one, other = (asked(f"{PATH}/{row.shown_id}") for row in (draft, running))

    assert float(one["forecast"]["judge_cost"]) > 0
    assert other["forecast"] is None
    assert one["warnings"] == other["warnings"] == []


# At once


class Meanwhile:
    """Somebody who does a thing in a transaction, and commits once another has tried the same."""

    def __init__(self, tenant: Tenant, first: Callable[[], object]) -> None:
        self._tenant, self._first = tenant, first
        self._done, self._tried = threading.Event(), threading.Event()
        self.told: Exception | None = None

    def when(self, second: Callable[[], object]) -> Exception | None:
        """What the other one is told."""
        threads = [threading.Thread(target=self._go_first), threading.Thread(target=self._follow)]
        self._second = second
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=20)
        return self.told

    def _go_first(self) -> None:
        with tenant_scope(self._tenant.pk):
            self._first()
            self._done.set()
            self._tried.wait(timeout=0.5)  # in vain, if the other one has to wait for the commit
        close_old_connections()

    def _follow(self) -> None:
        self._done.wait(timeout=10)
        try:
            with tenant_scope(self._tenant.pk):
                self._second()
        except Exception as problem:  # noqa: BLE001  looked at by the test
            self.told = problem
        self._tried.set()
        close_old_connections()


@pytest.mark.django_db(transaction=True)
def test_of_two_drafts_on_the_same_calls_that_are_started_together_one_runs(now: datetime) -> None:
    tenant = TenantFactory.create()
    one, other = (draft_experiment(tenant, now=now, name=name) for name in ("one", "other"))

    told = Meanwhile(tenant, lambda: lab.start(one, actor=SYSTEM, now=now)).when(
        lambda: lab.start(other, actor=SYSTEM, now=now)
    )

    assert isinstance(told, Conflict)
    with tenant_scope(tenant.pk):
        rows = Experiment.objects.for_tenant(tenant).filter(status="running")
        assert [row.name for row in rows] == ["one"]


@pytest.mark.django_db(transaction=True)
def test_of_two_who_draw_up_the_same_name_together_one_is_told(now: datetime) -> None:
    tenant = TenantFactory.create()
    arms = (ArmWish("A", "openai/gpt-4.1-mini"), ArmWish("B", "groq/llama-3.3-70b-versatile"))

    def draw_up() -> None:
        lab.draw_up(tenant, Wish(name="trial", arms=arms), actor=SYSTEM, now=now)

    assert isinstance(Meanwhile(tenant, draw_up).when(draw_up), Conflict | WrongFields)


@pytest.mark.django_db(transaction=True)
def test_of_two_who_save_a_new_policy_together_both_know_what_was_saved() -> None:
    tenant = TenantFactory.create()

    def save(strategy: str) -> None:
        policies.save(tenant, "shop", {"strategy": strategy}, actor=SYSTEM)

    told = Meanwhile(tenant, lambda: save("cheapest")).when(lambda: save("fastest"))

    with tenant_scope(tenant.pk):
        saved = policies.version(policies.find(tenant, "shop"))
    if told is None:  # one after the other
        assert (saved.number, saved.document) == (2, {"strategy": "fastest"})
    else:
        assert isinstance(told, Conflict)
        assert (saved.number, saved.document) == (1, {"strategy": "cheapest"})
