"""Policies: which one applies, versions, the management API, and whose they are."""

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts import audit, gateway_keys
from accounts.callers import Caller
from accounts.errors import InvalidRequest
from accounts.models import AuditEvent, Change, GatewayKey, Tenant
from accounts.tenancy import tenant_scope
from routing import policies, policy_terms
from routing.models import PolicyVersion
from routing.options import Options
from routing.policy_terms import PolicyInForce
from tests.factories.accounts import TenantFactory, add_provider_key, issue_gateway_key
from tests.routing.plan.builders import caller as some_caller

CHEAP: dict[str, Any] = {"strategy": "cheapest"}
LISTED = {"strategy": "priority", "targets": ["groq/llama-3.3-70b-versatile"]}
PATH = "/api/v1/policies"


# Which one applies


def known(**locked: bool) -> policies.Known:
    return {
        name: PolicyInForce(name, 1, policy_terms.read({**CHEAP, "lock": lock}))
        for name, lock in locked.items()
    }


def caller(policy: str = "") -> Caller:
    plain = some_caller()
    fields = {name: getattr(plain, name) for name in plain.__slots__}
    return Caller(**{**fields, "policy": policy})


@pytest.mark.parametrize(
    ("of_key", "asked", "model", "expected"),
    [
        ("", "", "auto", "default"),
        ("own", "", "auto", "own"),
        ("own", "other", "auto", "other"),
        ("own", "", "@other", "other"),
        ("", "other", "@other", "other"),
    ],
)
def test_the_request_comes_before_the_key_and_the_key_before_the_default(
    of_key: str, asked: str, model: str, expected: str
) -> None:
    every = known(default=False, own=False, other=False)

    found = policies.applying(every, caller(of_key), Options(policy=asked), model)

    assert found is every[expected]


def test_without_any_policy_none_applies() -> None:
    assert policies.applying({}, caller(), Options(), "auto") is None


@pytest.mark.parametrize(("of_key", "locked"), [("own", "own"), ("", "default")])
def test_a_locked_policy_cannot_be_left(of_key: str, locked: str) -> None:
    every = known(**{"default": False, "own": False, "other": False, locked: True})

    for wishes, model in ((Options(policy="other"), "auto"), (Options(), "@other")):
        with pytest.raises(InvalidRequest, match=f"'{locked}' is locked"):
            policies.applying(every, caller(of_key), wishes, model)
    same = policies.applying(every, caller(of_key), Options(policy=locked), "auto")
    assert same is every[locked]


def test_an_unknown_policy_is_refused_and_near_ones_are_named() -> None:
    every = known(nightly=False)

    with pytest.raises(InvalidRequest, match="nightly"):
        policies.applying(every, caller(), Options(policy="nihgtly"), "auto")
    with pytest.raises(InvalidRequest, match="deleted"):
        policies.applying(every, caller("gone"), Options(), "auto")
    with pytest.raises(InvalidRequest, match="name one policy"):
        policies.applying(every, caller(), Options(policy="nightly"), "@other")


# Saving


class Manager:
    """Somebody with a management key."""

    def __init__(self, tenant: Tenant) -> None:
        self.tenant = tenant
        with tenant_scope(tenant.pk):
            key = gateway_keys.issue_management_key(tenant, name="ci", actor=audit.SYSTEM)
        self._client = Client(HTTP_AUTHORIZATION=f"Bearer {key.reveal()}")

    def get(self, path: str) -> Any:
        return self._client.get(f"{PATH}{path}")

    def put(self, path: str, content: Any) -> Any:
        return self._client.put(f"{PATH}{path}", content, content_type="application/json")

    def post(self, path: str, content: Any) -> Any:
        return self._client.post(f"{PATH}{path}", content, content_type="application/json")

    def delete(self, path: str) -> Any:
        return self._client.delete(f"{PATH}{path}")

    def read(self) -> policies.Known:
        with tenant_scope(self.tenant.pk):
            return policies.read(self.tenant.pk)


@pytest.fixture
def manager(db: None) -> Manager:
    return Manager(TenantFactory.create())


def test_every_change_is_a_new_version_and_the_same_again_is_none(manager: Manager) -> None:
    first = manager.put("/shop", CHEAP)
    same = manager.put("/shop", CHEAP)
    second = manager.put("/shop", LISTED)

    assert [first.status_code, same.status_code, second.status_code] == [201, 200, 200]
    assert [answer.json()["version"] for answer in (first, same, second)] == [1, 1, 2]
    assert second.json()["targets"] == LISTED["targets"]
    listed = manager.get("/shop/versions").json()["results"]
    assert [(row["version"], row["strategy"]) for row in listed] == [
        (2, "priority"), (1, "cheapest"),
    ]  # fmt: skip
    assert manager.read()["shop"].version == 2
    assert manager.get("/shop").json()["created_by"].startswith("management key")


def test_a_change_is_audited_and_announced(manager: Manager) -> None:
    manager.put("/shop", CHEAP)

    with tenant_scope(manager.tenant.pk):
        events = AuditEvent.objects.for_tenant(manager.tenant).filter(action="policy.saved")
        assert [event.subject for event in events] == ["shop"]
    assert Change.objects.filter(kind="policy", tenant=manager.tenant.pk).count() == 1


def test_rolling_back_saves_the_old_one_as_the_newest(manager: Manager) -> None:
    manager.put("/shop", CHEAP)
    manager.put("/shop", LISTED)

    answer = manager.post("/shop/rollback", {"version": 1})

    assert answer.json()["version"] == 3
    assert answer.json()["strategy"] == "cheapest"
    assert answer.json()["note"] == "Back to version 1"
    assert manager.post("/shop/rollback", {"version": 9}).status_code == 404


def test_a_deleted_policy_is_gone_and_its_numbers_never_come_again(manager: Manager) -> None:
    manager.put("/shop", CHEAP)

    assert manager.delete("/shop").status_code == 204

    assert manager.get("/shop").status_code == 404
    assert manager.read() == {}
    again = manager.put("/shop", CHEAP)
    assert (again.status_code, again.json()["version"]) == (201, 2)


def test_a_policy_that_a_key_has_cannot_be_deleted(manager: Manager) -> None:
    manager.put("/shop", CHEAP)
    key = issue_gateway_key(manager.tenant, name="Checkout", policy="shop").record

    refused = manager.delete("/shop")
    assert refused.status_code == 409
    assert "Checkout" in refused.json()["error"]["message"]

    with tenant_scope(manager.tenant.pk):
        gateway_keys.revoke(key, actor=audit.SYSTEM, now=timezone.now())
    assert manager.delete("/shop").status_code == 204


def test_wrong_fields_are_named_in_the_answer(manager: Manager) -> None:
    answer = manager.put("/shop", {"strategy": "cheapest", "race": {"width": 9}, "colour": 1})

    assert answer.status_code == 400
    error = answer.json()["error"]
    assert set(error["fields"]) == {"race.width", "colour"}
    assert error["code"] == "invalid_request"
    assert manager.put("/Shop%20EU", CHEAP).json()["error"]["fields"].keys() == {"name"}
    assert manager.read() == {}


def test_a_target_that_no_key_can_serve_is_a_warning(manager: Manager) -> None:
    add_provider_key(manager.tenant, provider="groq")
    document = {
        "strategy": "priority",
        "targets": ["groq/llama-3.3-70b-versatile", "cerebras/gpt-oss-120b", "nobody-knows-1"],
        "fallbacks": ["gpt-oss-120b:floor"],
        "cache": {"ttl_s": 60},
    }

    answer = manager.put("/shop", document)

    assert answer.status_code == 201
    warnings = {one["field"]: one["message"] for one in answer.json()["warnings"]}
    assert set(warnings) == {"targets.1", "targets.2", "fallbacks.0", "cache"}
    assert "Cerebras" in warnings["targets.1"]


def test_another_tenants_policies_are_unknown(manager: Manager) -> None:
    stranger = Manager(TenantFactory.create())
    stranger.put("/theirs", CHEAP)

    assert manager.get("").json()["results"] == []
    assert manager.get("/theirs").status_code == 404
    assert manager.delete("/theirs").status_code == 404
    assert manager.post("/theirs/rollback", {"version": 1}).status_code == 404
    assert manager.post("/theirs/replay", {"days": 1}).status_code == 404
    assert manager.put("/theirs", LISTED).json()["version"] == 1
    assert stranger.read()["theirs"].terms.strategy == "cheapest"


def test_a_tenant_may_have_a_hundred(manager: Manager, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policies, "MOST", 2)
    codes = [manager.put(f"/p{n}", CHEAP).status_code for n in range(3)]

    assert codes == [201, 201, 409]
    assert manager.put("/p1", LISTED).status_code == 200


# Keys


def test_a_key_has_a_policy_that_there_is(manager: Manager) -> None:
    manager.put("/shop", CHEAP)
    client = manager._client
    new = {"name": "CI", "mode": "live"}

    def post(**fields: Any) -> Any:
        return client.post(
            "/api/v1/gateway-keys", {**new, **fields}, content_type="application/json"
        )

    wrong, right = post(policy="shpo"), post(policy="shop")
    assert (wrong.status_code, wrong.json()["error"]["param"]) == (400, "policy")
    assert right.json()["policy"] == "shop"
    path = f"/api/v1/gateway-keys/{right.json()['id']}"
    renamed = client.patch(path, {"name": "CD"}, content_type="application/json")
    assert renamed.json()["policy"] == "shop"
    cleared = client.patch(path, {"policy": None}, content_type="application/json")
    assert cleared.json()["policy"] is None
    with tenant_scope(manager.tenant.pk):
        assert GatewayKey.objects.for_tenant(manager.tenant).get(name="CD").policy == ""


def test_a_rolled_key_keeps_its_policy(manager: Manager) -> None:
    from datetime import timedelta

    key = issue_gateway_key(manager.tenant, policy="shop").record
    with tenant_scope(manager.tenant.pk):
        new = gateway_keys.roll(
            key, overlap=timedelta(0), actor=audit.SYSTEM, now=timezone.now()
        ).record
    assert new.policy == "shop"


def test_documents_are_stored_as_they_were_written(manager: Manager) -> None:
    document = {"strategy": "cheapest", "max_price": {"input": "0.50"}}
    manager.put("/shop", document)

    with tenant_scope(manager.tenant.pk):
        row = PolicyVersion.objects.for_tenant(manager.tenant).get()
    assert row.document == document
