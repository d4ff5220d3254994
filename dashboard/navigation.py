"""Every page of ours, in one table: the URLs and the menu both come from it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from django.http import HttpResponseBase

from accounts.roles import Right, has_right
from dashboard.decorators import tenant_page
from dashboard.pages import (
    announcements,
    audit,
    budgets,
    cache,
    call,
    calls,
    costs,
    data,
    docs,
    experiments,
    first_keys,
    invitation,
    keys,
    landing,
    overview,
    playground,
    policies,
    projects,
    providers,
    reconciliation,
    saved_views,
    settings,
    switch,
    team,
    unsubscribe,
    webhooks,
)

View = Callable[..., HttpResponseBase]


@dataclass(frozen=True, kw_only=True)
class Page:
    """A page. Without a right it is public; without a group it is not in the menu.

    `scoped` False: the view opens its tenant's scope itself, since it waits for a provider.
    """

    path: str
    name: str
    title: str
    view: View
    right: Right | None = None
    group: str = ""
    icon: str = ""
    scoped: bool = True

    @property
    def guarded_view(self) -> View:
        if self.right is None:
            return self.view
        return tenant_page(self.right, scoped=self.scoped)(self.view)


OBSERVE, CONNECT, ACCOUNT, HELP = "Observe", "Connect", "Account", "Help"
POLICY = "dashboard/policies/<str:name>"
VIEW, MANAGE = Right.VIEW, Right.MANAGE_KEYS
KEY, PROVIDER_KEY = "dashboard/keys/<str:key>", "dashboard/providers/<str:key>"
MANAGEMENT_KEYS = "dashboard/keys/management"
BUDGET = "dashboard/budgets/<str:budget>"
MEMBER = "dashboard/team/<str:member>"
SAVED_VIEW = "dashboard/calls/views/<str:view>"

# fmt: off
PAGES = (
    Page(path="", name="landing", title="flo2", view=landing.landing),
    Page(path="terms/", name="terms", title="Terms", view=landing.terms),
    Page(path="privacy/", name="privacy", title="Privacy", view=landing.privacy),

    Page(path="dashboard/", name="overview", title="Overview", right=VIEW,
         view=overview.overview, group=OBSERVE, icon="overview"),
    Page(path="dashboard/checklist/", name="checklist", title="First steps", right=VIEW,
         view=overview.checklist),
    Page(path="dashboard/switch/", name="switch", title="Switch tenant", right=VIEW,
         view=switch.switch),
    Page(path="dashboard/announcements/dismiss/", name="announcement_dismiss",
         title="Dismiss an announcement", right=VIEW, view=announcements.dismiss),
    Page(path="dashboard/calls/", name="calls", title="Calls", right=VIEW,
         view=calls.calls, group=OBSERVE, icon="calls"),
    Page(path="dashboard/calls/export/", name="calls_export", title="Calls as CSV", right=VIEW,
         view=calls.export),
    Page(path="dashboard/calls/views/", name="saved_views", title="Saved views", right=VIEW,
         view=saved_views.views),
    Page(path=f"{SAVED_VIEW}/rename/", name="saved_view_rename", title="Rename a saved view",
         right=VIEW, view=saved_views.rename),
    Page(path=f"{SAVED_VIEW}/delete/", name="saved_view_delete", title="Delete a saved view",
         right=VIEW, view=saved_views.delete),
    Page(path="dashboard/calls/<str:call>/", name="call", title="Call", right=VIEW,
         view=call.call),
    Page(path="dashboard/costs/", name="costs", title="Costs", right=VIEW,
         view=costs.costs, group=OBSERVE, icon="costs"),
    Page(path="dashboard/reconciliation/", name="reconciliation", title="Reconciliation",
         right=VIEW, view=reconciliation.reconciliation, group=OBSERVE,
         icon="reconciliation"),
    Page(path="dashboard/budgets/", name="budgets", title="Budgets", right=VIEW,
         view=budgets.budgets, group=OBSERVE, icon="budgets"),
    Page(path=f"{BUDGET}/change/", name="budget_change", title="Change a budget",
         right=Right.MANAGE_ROUTING, view=budgets.change),
    Page(path=f"{BUDGET}/raise/", name="budget_raise", title="Raise a budget",
         right=Right.MANAGE_ROUTING, view=budgets.raise_limit),
    Page(path=f"{BUDGET}/remove/", name="budget_remove", title="Remove a budget",
         right=Right.MANAGE_ROUTING, view=budgets.remove),
    Page(path="dashboard/webhooks/", name="webhooks", title="Webhooks", right=VIEW,
         view=webhooks.webhooks),
    Page(path="dashboard/webhooks/<str:hook>/", name="webhook_change", title="Change a webhook",
         right=Right.MANAGE_ROUTING, view=webhooks.change),
    Page(path="dashboard/webhooks/<str:hook>/test/", name="webhook_test", title="Test a webhook",
         right=Right.MANAGE_ROUTING, view=webhooks.test, scoped=False),

    Page(path="dashboard/keys/", name="keys", title="Gateway keys", right=MANAGE,
         view=keys.keys, group=CONNECT, icon="keys"),
    Page(path="dashboard/keys/first/", name="first_keys", title="Your keys", right=MANAGE,
         view=first_keys.first_keys),
    Page(path=f"{MANAGEMENT_KEYS}/", name="management_key_new", title="New management key",
         right=Right.MANAGE_TENANT, view=keys.create_management_key),
    Page(path=f"{MANAGEMENT_KEYS}/<str:key>/revoke/", name="management_key_revoke",
         title="Revoke a management key", right=Right.MANAGE_TENANT,
         view=keys.revoke_management_key),
    Page(path=f"{KEY}/revoke/", name="key_revoke", title="Revoke a key", right=MANAGE,
         view=keys.revoke),
    Page(path=f"{KEY}/roll/", name="key_roll", title="Roll a key", right=MANAGE,
         view=keys.roll),

    Page(path="dashboard/providers/", name="providers", title="Providers", right=MANAGE,
         view=providers.providers, group=CONNECT, icon="providers", scoped=False),
    Page(path=f"{PROVIDER_KEY}/verify/", name="provider_key_verify", title="Verify a provider key",
         right=MANAGE, view=providers.verify, scoped=False),
    Page(path=f"{PROVIDER_KEY}/move/", name="provider_key_move", title="Move a provider key",
         right=MANAGE, view=providers.move, scoped=False),
    Page(path=f"{PROVIDER_KEY}/edit/", name="provider_key_edit", title="Change a provider key",
         right=MANAGE, view=providers.edit),
    Page(path=f"{PROVIDER_KEY}/replace/", name="provider_key_replace",
         title="Replace a provider key", right=MANAGE, view=providers.replace, scoped=False),
    Page(path=f"{PROVIDER_KEY}/delete/", name="provider_key_delete",
         title="Delete a provider key", right=MANAGE, view=providers.delete),

    Page(path="dashboard/policies/", name="policies", title="Policies", right=VIEW,
         view=policies.policies_page, group=CONNECT, icon="policies"),
    Page(path="dashboard/new-policy/", name="policy_new", title="New policy",
         right=Right.MANAGE_ROUTING, view=policies.new),
    Page(path=f"{POLICY}/", name="policy", title="Policy", right=VIEW, view=policies.policy),
    Page(path=f"{POLICY}/delete/", name="policy_delete", title="Delete a policy",
         right=Right.MANAGE_ROUTING, view=policies.delete),

    Page(path="dashboard/playground/", name="playground", title="Playground", right=Right.CALL,
         view=playground.playground, group=CONNECT, icon="playground"),
    Page(path="dashboard/playground/run/", name="playground_run", title="Run", right=Right.CALL,
         view=playground.run),
    Page(path="dashboard/projects/", name="projects", title="Projects", right=VIEW,
         view=projects.projects_page, group=CONNECT, icon="projects"),
    Page(path="dashboard/projects/<str:project>/rename/", name="project_rename",
         title="Rename a project", right=MANAGE, view=projects.rename),

    Page(path="dashboard/team/", name="team", title="Team", right=VIEW, view=team.team,
         group=ACCOUNT, icon="team", scoped=False),
    Page(path="dashboard/team/leave/", name="team_leave", title="Leave", right=VIEW,
         view=team.leave),
    Page(path="dashboard/team/invitations/<str:invitation>/withdraw/", name="team_withdraw",
         title="Withdraw an invitation", right=Right.MANAGE_PEOPLE, view=team.withdraw),
    Page(path=f"{MEMBER}/role/", name="team_role", title="Change a role",
         right=Right.MANAGE_PEOPLE, view=team.role),
    Page(path=f"{MEMBER}/remove/", name="team_remove", title="Remove a member",
         right=Right.MANAGE_PEOPLE, view=team.remove),
    Page(path=f"{MEMBER}/transfer/", name="team_transfer", title="Transfer the account",
         right=Right.OWN, view=team.transfer),
    Page(path="dashboard/settings/", name="settings", title="Settings", right=VIEW,
         view=settings.settings, group=ACCOUNT, icon="settings"),
    Page(path="dashboard/settings/sessions/", name="sessions_end", title="End other sessions",
         right=VIEW, view=settings.end_sessions),
    Page(path="dashboard/settings/mails/", name="settings_mails", title="Mails", right=VIEW,
         view=settings.choose_mails),
    Page(path="dashboard/settings/export/", name="account_export", title="Export the account",
         right=Right.MANAGE_TENANT, view=settings.export_account),
    Page(path="dashboard/settings/content/", name="content_delete", title="Delete all content",
         right=Right.MANAGE_TENANT, view=settings.delete_content),
    Page(path="dashboard/settings/delete/", name="tenant_delete", title="Delete the account",
         right=Right.OWN, view=settings.delete),
    Page(path="dashboard/audit/", name="audit", title="Audit", right=Right.MANAGE_TENANT,
         view=audit.audit_list, group=ACCOUNT, icon="audit"),
    Page(path="unsubscribe/<str:report>/", name="unsubscribe", title="Weekly report",
         view=unsubscribe.unsubscribe),
    Page(path="invitation/<str:token>/", name="invitation", title="Invitation",
         view=invitation.invitation),

    Page(path="dashboard/cache/", name="cache", title="Cache", right=VIEW,
         view=cache.cache, group=CONNECT, icon="cache"),
    Page(path="dashboard/cache/purge/", name="cache_purge", title="Drop kept answers",
         right=Right.MANAGE_ROUTING, view=cache.purge),

    Page(path="dashboard/data/", name="data", title="Training data", right=VIEW,
         view=data.data, group=CONNECT, icon="data"),
    Page(path="dashboard/data/export/", name="data_export", title="Training data as JSON lines",
         right=Right.MANAGE_TENANT, view=data.export),
    Page(path="dashboard/data/delete/", name="data_delete", title="Delete training data",
         right=Right.MANAGE_TENANT, view=data.delete),
    Page(path="dashboard/data/<str:call>/", name="data_call", title="Collected call",
         right=Right.MANAGE_TENANT, view=data.collected),

    Page(path="dashboard/experiments/", name="experiments", title="Experiments", right=VIEW,
         view=experiments.experiments_page, group=CONNECT, icon="experiments"),
    Page(path="dashboard/new-experiment/", name="experiment_new", title="New experiment",
         right=Right.MANAGE_ROUTING, view=experiments.new),
    Page(path="dashboard/experiments/<str:experiment>/", name="experiment", title="Experiment",
         right=VIEW, view=experiments.experiment),

    Page(path="docs/", name="docs", title="Documentation", view=docs.index, group=HELP,
         icon="docs"),
    Page(path="docs/<slug:slug>/", name="docs_topic", title="Documentation", view=docs.topic),
)
# fmt: on


@dataclass(frozen=True)
class Entry:
    """A line of the menu."""

    name: str
    title: str
    icon: str
    is_current: bool


def menu(role: str, current: str) -> list[tuple[str, list[Entry]]]:
    """The menu of somebody with this role, by group; `current` is the name of the open page."""
    groups: dict[str, list[Entry]] = {}
    for page in _visible(role):
        entry = Entry(page.name, page.title, page.icon, is_current=_belongs(current, page.name))
        groups.setdefault(page.group, []).append(entry)
    return list(groups.items())


def _visible(role: str) -> Iterable[Page]:
    for page in PAGES:
        if page.group and (page.right is None or has_right(role, page.right)):
            yield page


# Pages that are not in the menu, and the entry that they belong to.
PARENTS = {
    "budget_change": "budgets",
    "budget_raise": "budgets",
    "budget_remove": "budgets",
    "webhooks": "budgets",
    "webhook_change": "budgets",
    "call": "calls",
    "saved_views": "calls",
    "saved_view_delete": "calls",
    "saved_view_rename": "calls",
    "content_delete": "settings",
    "data_call": "data",
    "data_delete": "data",
    "first_keys": "keys",
    "key_revoke": "keys",
    "key_roll": "keys",
    "management_key_new": "keys",
    "management_key_revoke": "keys",
    "provider_key_edit": "providers",
    "provider_key_replace": "providers",
    "provider_key_delete": "providers",
    "experiment": "experiments",
    "experiment_new": "experiments",
    "policy": "policies",
    "policy_new": "policies",
    "policy_delete": "policies",
    "project_rename": "projects",
    "tenant_delete": "settings",
    "team_leave": "team",
    "team_remove": "team",
    "team_role": "team",
    "team_transfer": "team",
    "team_withdraw": "team",
    "docs_topic": "docs",
}


def _belongs(current: str, entry: str) -> bool:
    return PARENTS.get(current, current) == entry
