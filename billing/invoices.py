"""Lines of providers' invoices: taken in, and held against the books."""

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from django.db.models import QuerySet

from accounts import audit
from accounts.errors import InvalidRequest, NotFound
from accounts.models import Tenant
from billing import money, reports
from billing.models import Invoice
from billing.money import ZERO
from billing.periods import BadPeriod, Period
from billing.reports import Totals

COLUMNS = ("provider", "from", "to", "amount_usd", "model", "reference")
NEEDED = COLUMNS[:4]
MOST_LINES = 1000
SHOWN = 100


@dataclass(frozen=True, kw_only=True)
class Line:
    """What a provider charged for a span of days: for everything, or for one model."""

    provider: str
    period: Period
    amount: Decimal
    model: str = ""
    reference: str = ""


@dataclass(frozen=True)
class Reconciled:
    """A line of an invoice and what our books say of the same span."""

    invoice: Invoice
    totals: Totals

    @property
    def ours(self) -> Decimal:
        return self.totals.cost

    @property
    def theirs(self) -> Decimal:
        return self.invoice.amount or ZERO

    @property
    def difference(self) -> Decimal:
        """What they charged beyond our books; negative where they charged less."""
        return self.theirs - self.ours

    @property
    def explained(self) -> float | None:
        """What part of their amount calls on our books account for; None of an amount of 0."""
        if not self.theirs:
            return None
        return float(min(self.ours, self.theirs) / self.theirs)


@dataclass(frozen=True)
class Imported:
    added: int
    known: int  # lines that were there already


class BadLine(InvalidRequest):
    """A line that cannot be read: which, and why."""


def read_csv(text: str) -> list[Line]:
    """Lines of a CSV with a head of COLUMNS, the last two optional. Raises BadLine."""
    reader = csv.DictReader(io.StringIO(text.lstrip("\ufeff")), strict=True)
    try:
        head = [name.strip().lower() for name in reader.fieldnames or ()]
        missing = [name for name in NEEDED if name not in head]
        if missing:
            raise BadLine(f"The first line must name the columns {', '.join(NEEDED)}.", param="csv")
        reader.fieldnames = head
        lines = []
        for number, row in enumerate(reader, start=2):
            if number > MOST_LINES + 1:
                raise BadLine(f"At most {MOST_LINES} lines at a time.", param="csv")
            lines.append(read_line(row, f"line {number}"))
    except csv.Error as problem:
        raise BadLine(f"This is not a CSV: {problem}.", param="csv") from None
    return lines


def read_line(row: Mapping[str, str | None], where: str = "") -> Line:
    """A line from text. Raises BadLine."""
    values = {name: (row.get(name) or "").strip() for name in COLUMNS}
    name = "amount_usd"
    try:
        amount = money.parse(values["amount_usd"].replace(",", "").removeprefix("$"))
        name = "from"
        period = Period(date.fromisoformat(values["from"]), date.fromisoformat(values["to"]))
    except BadPeriod as problem:
        raise _bad(where, name, str(problem)) from None
    except (ValueError, ArithmeticError):
        hint = "an amount such as 12.34" if name == "amount_usd" else "days such as 2026-11-01"
        raise _bad(where, name, f"must be {hint}") from None
    for name, length in (("provider", 40), ("model", 200), ("reference", 100)):
        if len(values[name]) > length or "\x00" in values[name]:
            raise _bad(where, name, f"has at most {length} characters")
    if not values["provider"]:
        raise _bad(where, "provider", "is missing")
    return Line(
        provider=values["provider"].lower(),
        period=period,
        amount=amount,
        model=values["model"],
        reference=values["reference"],
    )


def _bad(where: str, name: str, reason: str) -> BadLine:
    return BadLine(f"{where + ': ' if where else ''}{name}: {reason}.", param=name)


def add(
    tenant: Tenant,
    lines: Iterable[Line],
    *,
    providers: Iterable[str],
    actor: audit.Actor,
    now: datetime,
) -> Imported:
    """Take in lines; those that are there already are left as they are. Raises BadLine."""
    lines, there_are = list(lines), set(providers)
    for line in lines:  # all are looked at before one is taken in
        if line.provider not in there_are:
            raise BadLine(f"There is no provider {line.provider}.", param="provider")
    added = known = 0
    for line in lines:
        _, is_new = Invoice.objects.for_tenant(tenant).get_or_create(
            provider=line.provider,
            model=line.model,
            reference=line.reference,
            first=line.period.first,
            last=line.period.last,
            defaults={
                "tenant": tenant,
                "amount": line.amount,
                "created_at": now,
                "created_by": actor.name,
            },
        )
        added, known = added + is_new, known + (not is_new)
    if added:
        audit.record(tenant, actor=actor, action="invoices.added", subject=f"{added} lines")
    return Imported(added, known)


def remove(tenant: Tenant, invoice: UUID, *, actor: audit.Actor) -> None:
    """Raises NotFound."""
    row = Invoice.objects.for_tenant(tenant).named("invoice", pk=invoice)
    audit.record(tenant, actor=actor, action="invoice.removed", subject=str(row))
    row.delete()


def find(tenant: UUID, invoice: UUID) -> Reconciled:
    """Raises NotFound."""
    found = _against_books(tenant, Invoice.objects.for_tenant(tenant).filter(pk=invoice))
    if not found:
        raise NotFound(kind="invoice")
    return found[0]


def reconcile(tenant: UUID) -> list[Reconciled]:
    """The newest lines, each with what the books say of its span."""
    return _against_books(tenant, Invoice.objects.for_tenant(tenant).all())


def _against_books(tenant: UUID, rows: QuerySet[Invoice]) -> list[Reconciled]:
    """One question to the books for each span, however many lines it has."""
    spans: dict[tuple[date, date], dict[tuple[str, str], Totals]] = {}
    found = []
    for row in rows[:SHOWN]:
        span = (row.first, row.last)
        if span not in spans:
            spans[span] = _spent(tenant, Period(*span))
        totals = Totals()
        for (provider, model), its in spans[span].items():
            if provider == row.provider and row.model in {"", model}:
                totals += its
        found.append(Reconciled(row, totals))
    return found


def _spent(tenant: UUID, period: Period) -> dict[tuple[str, str], Totals]:
    rows = reports.spend(tenant, period, mode="live", group_by=("provider", "model"))
    return {(row.group["provider"], row.group["model"]): row.totals for row in rows}
