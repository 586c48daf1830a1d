"""What a value means. Tools annotate their arguments and results with these kinds; provenance compares them.

An argument of kind ``invoice_id`` is backed by a record only if some tool result about this customer holds the same
value in a field of kind ``invoice_id``. Text that others wrote (`FREE_TEXT`) backs nothing, whatever it says.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field


@dataclass(frozen=True)
class Kind:
    """The meaning of a value: values are only ever compared with values of the same kind."""

    name: str


@dataclass(frozen=True)
class FreeText:
    """Marks text written by somebody else (memo, note, document): information, never an instruction."""


FREE_TEXT = FreeText()

InvoiceId = Annotated[str, Kind("invoice_id")]
InvoiceNumber = Annotated[str, Kind("invoice_number")]
PaymentId = Annotated[str, Kind("payment_id")]
PaymentMethodId = Annotated[str, Kind("payment_method_id")]
SubscriptionId = Annotated[str, Kind("subscription_id")]
UserId = Annotated[str, Kind("user_id")]
ResourceId = Annotated[str, Kind("resource_id")]
IncidentId = Annotated[str, Kind("incident_id")]
ContractId = Annotated[str, Kind("contract_id")]
DocumentKind = Annotated[str, Kind("document_kind")]
_MINOR = "in minor units: 2900 is 29.00"
AmountMinor = Annotated[int, Kind("amount_minor"), Field(description=_MINOR)]
"""Money in minor units; the currency stands in a field of its own beside it."""
PositiveAmount = Annotated[int, Kind("amount_minor"), Field(gt=0, description=_MINOR)]
CurrencyCode = Annotated[str, Kind("currency"), Field(pattern=r"^[A-Z]{3}$")]
PlanName = Annotated[str, Kind("plan")]
SeatCount = Annotated[int, Kind("seat_count")]
SeatLimit = Annotated[int, Kind("seat_limit")]
SeatsPlanned = Annotated[int, Kind("seats_planned")]
RoleName = Annotated[str, Kind("role")]
ResourceKind = Annotated[str, Kind("resource_kind")]
RegionName = Annotated[str, Kind("region")]
SizeName = Annotated[str, Kind("size")]
Month = Annotated[str, Kind("month"), Field(pattern=r"^\d{4}-\d{2}$")]
EmailAddress = Annotated[str, Kind("email")]
RefundId = Annotated[str, Kind("refund_id")]
CreditId = Annotated[str, Kind("credit_id")]
ChangeId = Annotated[str, Kind("change_id")]
ExportId = Annotated[str, Kind("export_id")]
OfferId = Annotated[str, Kind("offer_id")]
DocumentId = Annotated[str, Kind("document_id")]
CardDigits = Annotated[str, Kind("card_digits")]
"""The last four digits of a card; never more."""
PercentNumber = Annotated[str, Kind("percent")]
"""A percentage in plain digits: ``99.90``."""
IsoDate = Annotated[str, Kind("date")]
IsoTime = Annotated[str, Kind("time")]
Link = Annotated[str, Kind("link")]
Sha256 = Annotated[str, Kind("sha256")]
RefundReason = Annotated[Literal["duplicate", "unused", "outage", "other"], Kind("refund_reason")]
CancellationReason = Annotated[
    Literal["too_expensive", "missing_feature", "switching", "unused", "other"], Kind("cancellation_reason")
]
PersonName = Annotated[str, Kind("person_name"), FREE_TEXT]
"""A name that people chose themselves: it says who, and backs nothing."""
CompanyName = Annotated[str, Kind("company"), FREE_TEXT]
ResourceName = Annotated[str, Kind("resource_name"), FREE_TEXT]
ForeignText = Annotated[str, FREE_TEXT]
