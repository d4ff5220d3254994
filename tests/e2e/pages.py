"""The pages that are looked at, by machine and by eye."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from playwright.sync_api import Page

WIDTHS = (360, 768, 1440)
SCHEMES = ("light", "dark")

FOR_ALL = {
    "landing": "/",
    "docs": "/docs/",
    "docs-quickstart": "/docs/quickstart/",
    "docs-clients": "/docs/clients/",
    "docs-models": "/docs/models/",
    "docs-options": "/docs/options/",
    "docs-training-data": "/docs/training-data/",
    "docs-headers": "/docs/headers/",
    "docs-testing": "/docs/testing/",
    "docs-errors": "/docs/errors/",
    "terms": "/terms/",
    "privacy": "/privacy/",
    "log-in": "/accounts/login/",
    "sign-up": "/accounts/signup/",
    "reset": "/accounts/password/reset/",
    "reset-sent": "/accounts/password/reset/done/",
    "unsubscribe": "/unsubscribe/none/",
}
FOR_THE_OWNER = {
    "overview": "/dashboard/?mode=live",
    "overview-test": "/dashboard/?mode=test",
    "calls": "/dashboard/calls/?mode=live",
    "calls-filtered": "/dashboard/calls/?mode=live&provider=groq&status=succeeded",
    "calls-none": "/dashboard/calls/?mode=live&model=nothing",
    "saved-views": "/dashboard/calls/views/",
    "costs": "/dashboard/costs/?mode=live",
    "costs-by-model": "/dashboard/costs/?mode=live&by=model",
    "keys": "/dashboard/keys/",
    "providers": "/dashboard/providers/",
    "playground": "/dashboard/playground/?mode=test",
    "data": "/dashboard/data/?mode=live",
    "data-none": "/dashboard/data/?mode=live&finish_reason=length",
    "data-delete": "/dashboard/data/delete/",
    "content-delete": "/dashboard/settings/content/",
    "policies": "/dashboard/policies/?mode=test",
    "experiments": "/dashboard/experiments/?mode=test",
    "experiment-new": "/dashboard/new-experiment/?mode=test",
    "projects": "/dashboard/projects/?mode=live",
    "team": "/dashboard/team/",
    "team-leave": "/dashboard/team/leave/",
    "settings": "/dashboard/settings/",
    "account-delete": "/dashboard/settings/delete/",
    "audit": "/dashboard/audit/?check=1",
    "audit-none": "/dashboard/audit/?actor=nobody",
    "two-factor": "/accounts/2fa/",
    "password": "/accounts/password/change/",
    "log-out": "/accounts/logout/",
}
# Pages about one thing: the page that leads there, and the link to follow.
FOUND = {
    "call": ("/dashboard/calls/?mode=live", "a.lead"),
    "call-fallback": ("/dashboard/calls/?mode=live", "tr:has-text('tries') a.lead"),
    "saved-view-rename": ("/dashboard/calls/views/", "a[href$='/rename/']"),
    "saved-view-delete": ("/dashboard/calls/views/", "a[href$='/delete/']"),
    "data-call": ("/dashboard/data/?mode=live", "th.said-short a"),
    "key-roll": ("/dashboard/keys/", "a[href$='/roll/']"),
    "key-revoke": ("/dashboard/keys/", "a[href$='/revoke/']"),
    "provider-key-change": ("/dashboard/providers/", "a[href$='/edit/']"),
    "provider-key-replace": ("/dashboard/providers/", "a[href$='/replace/']"),
    "provider-key-delete": ("/dashboard/providers/", "a[href$='/delete/']"),
    "project-rename": ("/dashboard/projects/?mode=live", "a[href$='/rename/']"),
    "team-role": ("/dashboard/team/", "a[href$='/role/']"),
    "team-remove": ("/dashboard/team/", "a[href$='/remove/']"),
    "team-transfer": ("/dashboard/team/", "a[href$='/transfer/']"),
    "team-withdraw": ("/dashboard/team/", "a[href$='/withdraw/']"),
}


# What an operator opens, and the pages of a tenant that they look at.
FOR_THE_OPERATOR = {
    "operator-tenants": "/admin/accounts/tenant/",
    "operator-health": "/admin/health/",
    "operator-signup": "/admin/signup/",
    "operator-announcements": "/admin/dashboard/announcement/",
    "operator-announcement": "/admin/dashboard/announcement/add/",
    "operator-audit": "/admin/accounts/operatorevent/",
}
FOR_A_VISITOR = {
    "visit-overview": "/dashboard/?mode=live",
    "visit-calls": "/dashboard/calls/?mode=live&provider=groq",
    "visit-settings": "/dashboard/settings/",
}
ACTS = ("look", "limits", "suspend")  # pages of a tenant in the operator's admin


def of_the_operator(page: Page) -> Iterator[tuple[str, str]]:
    """(name, path) of every page of an operator who is logged in."""
    yield from FOR_THE_OPERATOR.items()
    page.goto("/admin/accounts/tenant/")
    href = page.locator("a[href$='/change/']").first.get_attribute("href")
    assert href
    for act in ACTS:
        yield f"operator-{act}", urlsplit(href).path.replace("/change/", f"/{act}/")


def of_the_owner(page: Page) -> Iterator[tuple[str, str]]:
    """(name, path) of every page of somebody who is logged in."""
    yield from FOR_THE_OWNER.items()
    for name, (start, link) in FOUND.items():
        page.goto(start)
        href = page.locator(link).first.get_attribute("href")
        assert href, name
        yield name, urlsplit(href).path
