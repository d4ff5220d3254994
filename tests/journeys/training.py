"""A tenant that collects training data, and what it finds of it."""

import json
from datetime import datetime
from typing import Any

import httpx

from accounts import audit, gateway_keys, ids, tenant_settings
from accounts.tenancy import tenant_scope
from routing import collecting
from routing.models import CollectedCall
from routing.training_data import rows
from tests.journeys.conftest import Caller
from tests.journeys.experimenting import GROQ
from tests.servers.gateway import wait_for

Json = dict[str, Any]


def manager(caller: Caller) -> httpx.Client:
    with tenant_scope(caller.tenant.pk):
        key = gateway_keys.issue_management_key(caller.tenant, name="ops", actor=audit.SYSTEM)
    return caller.gateway.client(key.reveal())


def collect(caller: Caller, http: httpx.Client, **wishes: Any) -> None:
    """Switch collecting on, and wait until the gateway has heard of it."""
    answer = http.patch("/api/v1/settings", json={"store_content": True, **wishes})
    assert answer.status_code == 200, answer.text
    heard(caller)


def heard(caller: Caller) -> None:
    with tenant_scope(caller.tenant.pk):
        wished = tenant_settings.read(caller.tenant.pk)

    def knows() -> bool:
        known = tenant_settings.cached(caller.tenant.pk)
        return known is None or known.settings == wished

    wait_for(knows, "the gateway knows the settings", seconds=5)


def say(caller: Caller, text: str, *, model: str = GROQ, key: str = "", **sent: Any) -> str:
    """A call; its id."""
    headers = sent.pop("headers", {})
    body = {"model": model, "messages": [{"role": "user", "content": text}], **sent}
    with caller.gateway.client(key or caller.test_key) as http:
        answer = http.post("/v1/chat/completions", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.headers["x-flo2-call-id"]


def listed(http: httpx.Client, **query: Any) -> list[Json]:
    collecting.writer.flush()
    answer = http.get("/api/v1/training-data", params={"mode": "test", "limit": 100, **query})
    assert answer.status_code == 200, answer.text
    found: list[Json] = answer.json()["results"]
    return found


def exported(http: httpx.Client, **query: Any) -> list[Json]:
    collecting.writer.flush()
    answer = http.get("/api/v1/training-data/export", params={"mode": "test", **query})
    assert answer.status_code == 200, answer.text
    lines = answer.text.splitlines()
    assert answer.headers["x-flo2-lines"] == str(len(lines))
    assert answer.text.endswith("\n") or not lines
    return [json.loads(line) for line in lines]


def last_words(examples: list[Json]) -> list[str]:
    return [example["messages"][0]["content"] for example in examples]


def fact(at: datetime) -> rows.Fact:
    """Of a call that began then."""
    return rows.Fact(
        call=ids.new(), mode="test", began_at=at, endpoint="chat", requested_model="auto",
        provider="groq", model="m", policy="", project=None, gateway_key=None, lineage=None,
        finish_reason="stop", stream=False,
    )  # fmt: skip


def counted(caller: Caller) -> int:
    with tenant_scope(caller.tenant.pk):
        return CollectedCall.objects.for_tenant(caller.tenant).count()
