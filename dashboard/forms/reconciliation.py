"""Forms of the reconciliation page."""

from decimal import Decimal
from typing import Any

from django import forms

from billing import invoices, money
from billing.invoices import BadLine, Line
from billing.pricing import Rates
from dashboard.forms.days import DayField

LARGEST_FILE = 900_000  # bytes


def _rate(label: str, *, required: bool = True) -> forms.DecimalField:
    return forms.DecimalField(
        label=label,
        required=required,
        min_value=Decimal(0),
        max_value=money.LARGEST,
        max_digits=13,
        decimal_places=6,
        widget=forms.NumberInput(attrs={"step": "any", "placeholder": "0.50"}),
    )


class PriceForm(forms.Form):
    """US dollars per million tokens of a model that has no price."""

    provider = forms.CharField(max_length=40, widget=forms.HiddenInput)
    model = forms.CharField(max_length=200, widget=forms.HiddenInput)
    input = _rate("Input, USD per million")
    output = _rate("Output, USD per million")
    past = forms.BooleanField(
        required=False, initial=True, label="Price the calls of this period, too"
    )

    @property
    def rates(self) -> Rates:
        wanted = self.cleaned_data
        return Rates(wanted["input"].normalize() + 0, wanted["output"].normalize() + 0)


class InvoiceForm(forms.Form):
    """One line of an invoice, typed."""

    def __init__(self, providers: list[tuple[str, str]], data: Any = None) -> None:
        super().__init__(data)
        self.fields["provider"] = forms.ChoiceField(label="Provider", choices=providers)
        self.fields["from"], self.fields["to"] = DayField(label="From"), DayField(label="To")
        self.fields["amount_usd"] = forms.DecimalField(
            label="Amount in US dollars",
            min_value=Decimal(0),
            max_value=money.LARGEST,
            max_digits=19,
            decimal_places=12,
            widget=forms.NumberInput(attrs={"step": "any", "placeholder": "12.34"}),
        )
        self.fields["model"] = forms.CharField(label="Model", max_length=200, required=False)
        self.fields["reference"] = forms.CharField(
            label="Number of the invoice", max_length=100, required=False
        )

    def line(self) -> Line:
        """Raises BadLine."""
        return invoices.read_line({name: str(value) for name, value in self.cleaned_data.items()})


class ImportForm(forms.Form):
    """A file of lines."""

    file = forms.FileField(
        label="CSV file",
        help_text=f"With the columns {', '.join(invoices.COLUMNS)}; the last two may be missing.",
        widget=forms.FileInput(attrs={"accept": ".csv,text/csv"}),
    )

    def lines(self) -> list[Line]:
        """Raises BadLine."""
        file = self.cleaned_data["file"]
        if file.size > LARGEST_FILE:
            raise BadLine(f"The file has more than {LARGEST_FILE:,} bytes.", param="file")
        try:
            return invoices.read_csv(file.read().decode())
        except UnicodeDecodeError:
            raise BadLine("The file is not text in UTF-8.", param="file") from None
