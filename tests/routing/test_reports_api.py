"""`/api/v1/reports/…` and `/api/v1/invoices`: the figures of the pages, for programs."""

import json
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts import audit, gateway_keys, ids
from accounts.models import Tenant
from accounts.tenancy import tenant_scope
from billing.usage import Usage
from tests.factories.accounts import TenantFactory
from tests.factories.billing import AttemptEndedFactory, book_call

pytestmark = pytest.mark.django_db


class Api:
    """The management API in the hands of a program."""

    def __init__(self, tenant: Tenant) -> None:
        self.tenant = tenant
        with tenant_scope(tenant.pk):
            key = gateway_keys.issue_management_key(tenant, name="ci", actor=audit.SYSTEM)
        self._client = Client(HTTP_AUTHORIZATION=f"Bearer {key.reveal()}")

    def get(self, path: str, **query: str) -> Any:
        return self._client.get(f"/api/v1/{path}", query)

    def post(self, path: str, **content: Any) -> Any:
        return self._client.post(
            f"/api/v1/{path}", json.dumps(content), content_type="application/json"
        )

    def patch(self, path: str, **content: Any) -> Any:
        return self._client.patch(
            f"/api/v1/{path}", json.dumps(content), content_type="application/json"
        )

    def send(self, method: str, path: str, body: str) -> Any:
        return self._client.generic(method, f"/api/v1/{path}", body, "application/json")

    def delete(self, path: str) -> Any:
        return self._client.delete(f"/api/v1/{path}")


@pytest.fixture
def api() -> Api:
    return Api(TenantFactory.create())


@pytest.fixture
def now() -> datetime:
    return timezone.now()


@pytest.fixture
def yesterday(now: datetime) -> dict[str, int]:
    at = now - timedelta(days=1)
    return {"opened_at": int(at.timestamp() * 1000)}


def unpriced() -> Any:
    return AttemptEndedFactory.build(call="", model="brand-new", cost=None, cost_status="unpriced")


def test_the_summary_names_its_basis(api: Api, yesterday: dict[str, int]) -> None:
    lost = AttemptEndedFactory.build(call="", number=1, outcome="lost")
    won = AttemptEndedFactory.build(call="", number=2)
    book_call(api.tenant, attempts=[lost, won], **yesterday)
    book_call(api.tenant, attempts=[unpriced()], **yesterday)

    answer = api.get("reports/summary").json()

    assert answer["cost_usd"] == "0.004"
    assert answer["cost_per_success_usd"] == "0.002"
    assert answer["overhead"] == {"race_usd": "0.002", "judge_usd": "0", "shadow_usd": "0"}
    assert answer["unpriced_calls"] == 1
    assert answer["forecast"]["basis"]["per_day_usd"] == "0.004"


def test_spend_can_be_grouped_by_everything_the_contract_names(
    api: Api, yesterday: dict[str, int]
) -> None:
    book_call(api.tenant, tags=("nightly",), **yesterday)
    names = ("day", "provider", "model", "project", "key", "tag", "policy", "purpose")

    for name in names:
        [row] = api.get("reports/spend", group_by=name).json()["results"]
        assert (name in row, row["cost_usd"], row["cost_per_success_usd"]) == (
            True,
            "0.002",
            "0.002",
        )
        lines = api.get("reports/spend", group_by=name, format="csv").content.decode().splitlines()
        assert lines[0].split(",")[0] == name
        assert lines[1].split(",")[-1] == "0.002"


def test_unpriced_calls_get_a_price_and_are_priced_again(
    api: Api, yesterday: dict[str, int], now: datetime
) -> None:
    call = book_call(api.tenant, attempts=[unpriced()], **yesterday)
    [row] = api.get("reports/unpriced").json()["results"]
    assert (row["provider"], row["model"], row["usage"]["output_visible"]) == (
        "groq",
        "brand-new",
        500,
    )
    api._client.put(
        "/api/v1/catalog/models/groq/brand-new",
        {"price": {"input": "1", "output": "4"}},
        content_type="application/json",
    )
    span = {"from": f"{now - timedelta(days=2):%Y-%m-%d}", "to": f"{now:%Y-%m-%d}"}

    looked = api.post("reports/reprice", **span).json()
    before = api.get("reports/spend").json()["results"][0]["cost_usd"]
    done = api.post("reports/reprice", **span, apply=True).json()

    assert (looked["applied"], looked["newly_priced"], looked["change_usd"]) == (False, 1, "0.003")
    assert before == "0"
    assert (done["applied"], done["complete"]) == (True, True)
    assert api.get("reports/unpriced").json()["results"] == []
    shown = api.get(f"calls/{ids.show('call', call.id)}").json()
    assert (shown["cost_usd"], shown["corrected_cost_usd"]) == (None, "0.003")
    assert shown["attempts"][0]["corrected_cost_usd"] == "0.003"


def test_what_would_it_have_cost_elsewhere(api: Api, yesterday: dict[str, int]) -> None:
    usage = Usage(input_uncached=1_000_000)
    book_call(api.tenant, attempts=[AttemptEndedFactory.build(call="", usage=usage)], **yesterday)

    answer = api.get("reports/what-if", model="openai/gpt-4.1-mini").json()

    offer = api.get("catalog/models/openai/gpt-4.1-mini").json()
    assert answer["instead_usd"] == offer["price"]["input"]
    assert Decimal(answer["change_usd"]) == Decimal(answer["instead_usd"]) - Decimal("0.002")
    assert "token counts" in answer["basis"]


def test_providers_own_figures_stand_beside_ours(api: Api, yesterday: dict[str, int]) -> None:
    said = AttemptEndedFactory.build(call="", reported_cost=Decimal("0.0021"))
    book_call(api.tenant, attempts=[said], **yesterday)

    [row] = api.get("reports/reported").json()["results"]

    assert (row["cost_usd"], row["reported_cost_usd"], row["off"]) == ("0.002", "0.0021", True)


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("reports/what-if", {"model": "nobody/nothing"}),
        ("reports/what-if", {}),
        ("reports/summary", {"mode": "both"}),
        ("reports/unpriced", {"group_by": "day"}),
        ("reports/reported", {"from": "then"}),
    ],
)
def test_questions_that_make_no_sense_are_refused(
    api: Api, path: str, query: dict[str, str]
) -> None:
    assert api.get(path, **query).status_code == 400


class TestInvoices:
    LINE = {"provider": "groq", "from": "2026-11-01", "to": "2026-11-30", "amount_usd": "12.50"}

    def test_a_line_is_held_against_the_books(self, api: Api, now: datetime) -> None:
        day = f"{now - timedelta(days=1):%Y-%m-%d}"
        book_call(api.tenant, opened_at=int((now - timedelta(days=1)).timestamp() * 1000))

        added = api.post(
            "invoices", provider="groq", amount_usd="0.001", **{"from": day, "to": day}
        )
        [row] = api.get("invoices").json()["results"]

        assert (added.status_code, added.json()) == (201, {"added": 1, "known": 0})
        assert (row["theirs_usd"], row["ours_usd"], row["difference_usd"]) == (
            "0.001", "0.002", "-0.001",
        )  # fmt: skip
        assert row["explained_share"] == 1.0
        assert api.get(f"invoices/{row['id']}").json() == row
        assert api.delete(f"invoices/{row['id']}").status_code == 204
        assert api.get(f"invoices/{row['id']}").status_code == 404

    def test_a_line_for_one_model_is_held_against_that_model(self, api: Api) -> None:
        at = int(datetime(2026, 11, 10, tzinfo=timezone.get_current_timezone()).timestamp() * 1000)
        book_call(api.tenant, opened_at=at)
        for model in ("llama-3.3-70b", "other"):
            api.post("invoices", **self.LINE, model=model)

        ours = {row["model"]: row["ours_usd"] for row in api.get("invoices").json()["results"]}

        assert ours == {"llama-3.3-70b": "0.002", "other": "0"}

    def test_a_csv_of_lines_is_taken_in(self, api: Api) -> None:
        text = 'provider,from,to,amount_usd,reference\nGroq,2026-10-01,2026-10-31,"1,234.56",R-1\n'

        assert api.post("invoices", csv=text).json() == {"added": 1, "known": 0}
        assert api.post("invoices", csv=text).json() == {"added": 0, "known": 1}
        [row] = api.get("invoices").json()["results"]
        assert (row["theirs_usd"], row["reference"], row["explained_share"]) == (
            "1234.56",
            "R-1",
            0.0,
        )

    @pytest.mark.parametrize(
        "sent",
        [
            {},
            {"csv": ""},
            {**LINE, "csv": "x"},
            {**LINE, "amount_usd": "-1"},
            {**LINE, "amount_usd": "NaN"},
            {**LINE, "provider": "acme"},
            {**LINE, "to": "2026-10-01"},
            {**LINE, "mood": "fine"},
        ],
    )
    def test_what_cannot_be_read_is_refused(self, api: Api, sent: dict[str, str]) -> None:
        assert api.post("invoices", **sent).status_code == 400
        assert api.get("invoices").json()["results"] == []

    def test_another_tenant_s_line_is_not_there(self, api: Api) -> None:
        api.post("invoices", **self.LINE)
        [row] = api.get("invoices").json()["results"]
        other = Api(TenantFactory.create())

        assert other.get("invoices").json()["results"] == []
        assert other.delete(f"invoices/{row['id']}").status_code == 404
