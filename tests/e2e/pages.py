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
    "docs-headers": "/docs/headers/",
    "docs-testing": "/docs/testing/",
    "docs-errors": "/docs/errors/",
    "terms": "/terms/",
    "privacy": "/privacy/",
    "log-in": "/accounts/login/",
    "sign-up": "/accounts/signup/",
    "reset": "/accounts/password/reset/",
    "reset-sent": "/accounts/password/reset/done/",
}
FOR_THE_OWNER = {
    "overview": "/dashboard/?mode=live",
    "overview-test": "/dashboard/?mode=test",
    "calls": "/dashboard/calls/?mode=live",
    "calls-filtered": "/dashboard/calls/?mode=live&provider=groq&status=succeeded",
    "calls-none": "/dashboard/calls/?mode=live&model=nothing",
    "costs": "/dashboard/costs/?mode=live",
    "costs-by-model": "/dashboard/costs/?mode=live&by=model",
    "keys": "/dashboard/keys/",
    "providers": "/dashboard/providers/",
    "playground": "/dashboard/playground/?mode=test",
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


def of_the_owner(page: Page) -> Iterator[tuple[str, str]]:
    """(name, path) of every page of somebody who is logged in."""
    yield from FOR_THE_OWNER.items()
    for name, (start, link) in FOUND.items():
        page.goto(start)
        href = page.locator(link).first.get_attribute("href")
        assert href, name
        yield name, urlsplit(href).path
