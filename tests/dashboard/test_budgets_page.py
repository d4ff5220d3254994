"""The budgets page: made, seen, changed, raised, removed."""

from datetime import datetime, timedelta
from decimal import Decimal

from django.test import Client

from accounts import ids
from accounts.roles import Role
from accounts.tenancy import tenant_scope
from billing.models import Budget
from tests.dashboard.conftest import LogIn, World, milliseconds
from tests.dashboard.reading import text
from tests.factories.accounts import MembershipFactory, ProjectFactory, TenantFactory
from tests.factories.billing import book_call
from tests.factories.budgets import make_budget

PAGE = "/dashboard/budgets/"
FORM = {"subject": "", "limit": "12.5", "window": "day", "mode": "hard", "alert_at": ["50", "100"]}


def newest(world: World) -> Budget:
    with tenant_scope(world.tenant.pk):
        return Budget.objects.for_tenant(world.tenant).order_by("-created_at", "-id")[0]


def path_of(budget: Budget, action: str) -> str:
    return f"{PAGE}{ids.show('bud', budget.pk)}/{action}/"


def test_a_budget_is_made_as_the_form_asks(owner: Client, world: World) -> None:
    project = ProjectFactory.create(tenant=world.tenant, name="search")

    answer = owner.post(PAGE, {**FORM, "subject": f"project:{project.pk}"})

    assert answer.status_code == 302
    made = newest(world)
    assert (made.scope, made.project_id, made.lineage) == ("project", project.pk, None)
    assert made.limit == Decimal("12.5")
    assert (made.window, made.mode, made.alert_at) == ("day", "hard", [0.5, 1.0])
    assert "per day for project search" in text(owner.get(PAGE))


def test_a_budget_of_a_key_is_one_of_its_lineage(owner: Client, world: World) -> None:
    owner.post(PAGE, {**FORM, "subject": f"key:{world.key.pk}"})

    assert newest(world).lineage == world.key.lineage
    assert "for key Production" in text(owner.get(PAGE))


def test_the_page_shows_what_is_spent_left_and_reached(
    owner: Client, world: World, now: datetime
) -> None:
    budget = make_budget(TenantFactory.create(), "77", now=now)
    make_budget(world.tenant, "0.01", window="total", now=now - timedelta(minutes=1))
    for _ in range(4):
        book_call(world.tenant, opened_at=milliseconds(now))

    shown = text(owner.get(f"{PAGE}?mode=live"))

    assert "$0.008" in shown
    assert "80 %" in shown
    assert "$0.002" in shown
    assert "never" in shown
    assert f"${budget.limit}" not in shown  # another tenant's
    assert "$0.008" not in text(owner.get(f"{PAGE}?mode=test"))


def test_what_is_wrong_is_said_at_its_field(owner: Client, world: World) -> None:
    answer = owner.post(PAGE, {**FORM, "limit": "-1"})

    assert answer.status_code == 422
    assert "greater than or equal to 0" in text(answer)
    assert newest(world) == world.budget


def test_a_subject_of_another_tenant_cannot_be_chosen(owner: Client, world: World) -> None:
    foreign = ProjectFactory.create(tenant=TenantFactory.create())

    answer = owner.post(PAGE, {**FORM, "subject": f"project:{foreign.pk}"})

    assert answer.status_code == 422
    assert newest(world) == world.budget


def test_a_budget_is_changed_raised_and_removed(owner: Client, world: World, now: datetime) -> None:
    changed = {"limit": "30", "mode": "soft", "alert_at": ["90"]}
    assert owner.post(path_of(world.budget, "change"), changed).status_code == 302
    assert (newest(world).limit, newest(world).mode, newest(world).alert_at) == (
        Decimal(30), "soft", [0.9],
    )  # fmt: skip

    last = (now + timedelta(days=3)).date()
    raised = {"by": "5", "until": last.isoformat()}
    assert owner.post(path_of(world.budget, "raise"), raised).status_code == 302
    assert newest(world).raised_by == 5
    assert "raised until" in text(owner.get(PAGE))

    assert owner.post(path_of(world.budget, "remove")).status_code == 302
    assert "No budget yet" in text(owner.get(PAGE))


def test_a_raise_in_the_past_is_refused(owner: Client, world: World, now: datetime) -> None:
    past = (now - timedelta(days=2)).date().isoformat()

    answer = owner.post(path_of(world.budget, "raise"), {"by": "5", "until": past})

    assert answer.status_code == 422
    assert "That moment is over." in text(answer)


def test_a_viewer_sees_budgets_and_changes_none(world: World, log_in: LogIn) -> None:
    browser = log_in(world.people[Role.VIEWER])

    shown = browser.get(PAGE)
    assert shown.status_code == 200
    assert "New budget" not in text(shown)
    assert browser.post(PAGE, FORM).status_code == 403
    assert newest(world) == world.budget


def test_a_budget_of_another_tenant_is_not_found(world: World, log_in: LogIn) -> None:
    other = MembershipFactory.create(tenant=TenantFactory.create()).user
    for action in ("change", "raise", "remove"):
        assert log_in(other).post(path_of(world.budget, action), {}).status_code == 404
