"""Our books beside what providers say: prices set, calls priced again, invoices held against."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from accounts import ids, tenancy
from accounts.roles import Role
from billing import verification
from billing.models import Correction, Invoice, PriceOverride
from tests.dashboard.conftest import LogIn, World, milliseconds
from tests.dashboard.reading import exact, tables, text
from tests.factories.billing import AttemptEndedFactory, book_call

PAGE = "/dashboard/reconciliation/?mode=live"


def unpriced(**changes: Any) -> Any:
    return AttemptEndedFactory.build(
        **{"call": "", "model": "brand-new", "cost": None, "cost_status": "unpriced", **changes}
    )


@pytest.fixture
def yesterday(now: datetime) -> int:
    return milliseconds(now - timedelta(days=1))


def test_unpriced_calls_are_listed_and_priced_with_one_click(
    owner: Client, world: World, yesterday: int
) -> None:
    book_call(world.tenant, attempts=[unpriced()], opened_at=yesterday)
    assert "brand-new" in text(owner.get(PAGE))

    answer = owner.post(
        PAGE,
        {"action": "price", "provider": "groq", "model": "brand-new", "input": "1", "output": "4",
         "past": "on"},
        follow=True,
    )  # fmt: skip

    assert "groq/brand-new has a price now" in text(answer)
    assert "Every attempt of this period has a price." in text(answer)
    with tenancy.tenant_scope(world.tenant.pk):
        [correction] = Correction.objects.for_tenant(world.tenant)
        assert PriceOverride.objects.for_tenant(world.tenant).count() == 1
    assert correction.cost == Decimal("0.003")  # 1000 × 1 + 500 × 4 per million
    assert verification.verify(world.tenant.pk).differences == []


def test_past_calls_are_left_alone_where_it_is_not_ticked(
    owner: Client, world: World, yesterday: int
) -> None:
    book_call(world.tenant, attempts=[unpriced()], opened_at=yesterday)

    owner.post(
        PAGE,
        {"action": "price", "provider": "groq", "model": "brand-new", "input": "1", "output": "4"},
    )

    with tenancy.tenant_scope(world.tenant.pk):
        assert not Correction.objects.for_tenant(world.tenant).exists()


def test_a_price_that_cannot_be_charged_is_refused(
    owner: Client, world: World, yesterday: int
) -> None:
    book_call(world.tenant, attempts=[unpriced()], opened_at=yesterday)

    answer = owner.post(
        PAGE,
        {"action": "price", "provider": "groq", "model": "brand-new", "input": "-1", "output": ""},
    )

    assert answer.status_code == 422
    assert "greater than or equal to 0" in text(answer)


def test_a_corrected_call_shows_both_costs(owner: Client, world: World, yesterday: int) -> None:
    call = book_call(world.tenant, attempts=[unpriced()], opened_at=yesterday)
    owner.post(
        PAGE,
        {"action": "price", "provider": "groq", "model": "brand-new", "input": "1", "output": "4",
         "past": "on"},
    )  # fmt: skip

    shown = text(owner.get(f"/dashboard/calls/{ids.show('call', call.id)}/"))

    assert "At a corrected price" in shown
    assert "$0.003" in shown


@pytest.mark.parametrize(("theirs", "warned"), [("0.00201", False), ("0.00203", True)])
def test_a_provider_who_says_something_else_is_warned_of(
    theirs: str, warned: bool, owner: Client, world: World, yesterday: int
) -> None:
    said = AttemptEndedFactory.build(call="", reported_cost=Decimal(theirs))
    call = book_call(world.tenant, attempts=[said], opened_at=yesterday)

    report = text(owner.get(PAGE))
    receipt = text(owner.get(f"/dashboard/calls/{ids.show('call', call.id)}/"))

    assert ("more than 1 % apart" in report) is warned
    assert ("more than 1 % from ours" in receipt) is warned
    assert "The provider's own figure" in receipt


class TestInvoices:
    @pytest.fixture
    def line(self, world: World, now: datetime, yesterday: int) -> dict[str, str]:
        book_call(world.tenant, opened_at=yesterday)
        book_call(world.tenant, opened_at=yesterday, mode="test")
        day = (now - timedelta(days=1)).date().isoformat()
        return {"provider": "groq", "from": day, "to": day, "amount_usd": "0.0025"}

    def test_a_typed_line_is_held_against_the_books(
        self, owner: Client, line: dict[str, str]
    ) -> None:
        answer = owner.post(PAGE, {"action": "invoice", **line}, follow=True)

        row = tables(answer)[-1][1]
        assert [Decimal(exact(cell)) for cell in row[1:4]] == [
            Decimal("0.0025"), Decimal("0.002"), Decimal("0.0005"),
        ]  # fmt: skip
        assert row[4] == "80.0 %"

    def test_a_file_is_imported_and_twice_is_once(
        self, owner: Client, world: World, line: dict[str, str]
    ) -> None:
        first = ",".join(line.values())
        text_of = f"provider,from,to,amount_usd\n{first}\nopenai,2026-10-01,2026-10-31,7\n"
        for said in ("2 lines are added.", "0 lines are added. 2 were there already."):
            file = SimpleUploadedFile("invoice.csv", text_of.encode())
            answer = owner.post(PAGE, {"action": "import", "file": file}, follow=True)
            assert said in text(answer)

        with tenancy.tenant_scope(world.tenant.pk):
            assert Invoice.objects.for_tenant(world.tenant).count() == 2

    @pytest.mark.parametrize(
        ("content", "says"),
        [
            (b"a,b\n1,2\n", "must name the columns"),
            (
                b"provider,from,to,amount_usd\ngroq,2026-11-01,2026-11-02,much\n",
                "line 2: amount_usd",
            ),
            (
                b"provider,from,to,amount_usd\ngroq,2026-11-02,2026-11-01,1\n",
                "ends before it starts",
            ),
            (
                b"provider,from,to,amount_usd\ngroq,2026-11-01,2026-11-02,1\nacme,2026-11-01,2026-11-02,1\n",
                "no provider acme",
            ),
            (b"provider,from,to,amount_usd\nacme,2026-11-01,2026-11-02,1\n", "no provider acme"),
            (b"\xff\xfe", "not text in UTF-8"),
        ],
    )
    def test_a_file_that_cannot_be_read_is_refused_whole(
        self, content: bytes, says: str, owner: Client, world: World
    ) -> None:
        file = SimpleUploadedFile("invoice.csv", content)

        answer = owner.post(PAGE, {"action": "import", "file": file})

        assert answer.status_code == 422
        assert says in text(answer)
        with tenancy.tenant_scope(world.tenant.pk):
            assert not Invoice.objects.for_tenant(world.tenant).exists()

    def test_a_line_can_be_removed(self, owner: Client, world: World, line: dict[str, str]) -> None:
        owner.post(PAGE, {"action": "invoice", **line})
        with tenancy.tenant_scope(world.tenant.pk):
            row = Invoice.objects.for_tenant(world.tenant).get()

        owner.post(PAGE, {"action": "remove", "invoice": ids.show("inv", row.pk)})

        with tenancy.tenant_scope(world.tenant.pk):
            assert not Invoice.objects.for_tenant(world.tenant).exists()

    def test_a_line_of_another_tenant_is_not_there(
        self, owner: Client, line: dict[str, str]
    ) -> None:
        answer = owner.post(PAGE, {"action": "remove", "invoice": ids.show("inv", ids.new())})

        assert answer.status_code == 404


def test_a_viewer_looks_and_changes_nothing(world: World, log_in: LogIn) -> None:
    viewer = log_in(world.people[Role.VIEWER])

    assert viewer.get(PAGE).status_code == 200
    assert "Add a line" not in text(viewer.get(PAGE))
    assert viewer.post(PAGE, {"action": "reprice"}).status_code == 403


def test_the_costs_page_says_where_the_month_is_heading_and_what_if(
    owner: Client, world: World, yesterday: int
) -> None:
    book_call(world.tenant, opened_at=yesterday)

    page = owner.get("/dashboard/costs/?mode=live&what_if=openai/gpt-4.1-mini")

    assert page.context["forecast"].total is not None
    found = page.context["what_if"].found
    assert found.calls == 2
    assert found.instead > 0
    assert "they would have cost" in text(page)


def test_a_model_that_nobody_knows_is_told(owner: Client, world: World) -> None:
    page = owner.get("/dashboard/costs/?mode=live&what_if=nobody/nothing")

    assert "model must be provider/model" in text(page)
