"""`manage.py verify_audit`: whether any audit list was changed after the fact."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts import audit, members, operator_audit
from accounts.models import AuditEvent, OperatorEvent, Tenant
from accounts.tenancy import tenant_scope


class Command(BaseCommand):
    help = (
        "Follow the chain of every tenant's audit list, and of the operators'. Names the first"
        " event that does not fit and ends with status 1; prints the last hash of each list, to"
        " compare with an earlier run: events cut off at the end leave no other trace."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        broken = 0
        for pk in members.tenant_ids():
            with tenant_scope(pk):
                tenant = Tenant.objects.get(pk=pk)
                number = audit.first_broken(tenant)
                last = AuditEvent.objects.for_tenant(pk).order_by("-number").first()
            if number is not None:
                broken += 1
                self.stdout.write(f"{pk} BROKEN at event {number}")
            elif last:
                self.stdout.write(f"{pk} intact: {last.number} events, {bytes(last.hash).hex()}")
        broken += self._operators()
        if broken:
            raise CommandError(f"{broken} audit list{'s' if broken > 1 else ''} changed.")

    def _operators(self) -> int:
        number = operator_audit.first_broken()
        last = OperatorEvent.objects.order_by("-number").first()
        if number is not None:
            self.stdout.write(f"operators BROKEN at event {number}")
        elif last:
            shown = bytes(last.hash).hex()
            self.stdout.write(f"operators intact: {last.number} events, {shown}")
        return int(number is not None)
