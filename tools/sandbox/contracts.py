"""Promised and measured uptime, and the credit that is owed where a month fell short."""

from typing import Any

from tools.sandbox.backend import Account, SandboxBackend
from tools.sandbox.tables import Contract, Credit, Uptime
from tools.sandbox.wiring import read_tool
from tools.tool import Result, Tool
from tools.values import AmountMinor, ContractId, CurrencyCode, Month, PercentNumber


class SlaMonth(Result):
    """One month under the promise. `credit_due` is what the contract owes for it, credited or not."""

    month: Month
    measured_percent: PercentNumber
    breached: bool
    credit_due: AmountMinor
    currency: CurrencyCode
    credited: bool


class Sla(Result):
    """The uptime promise. Without a contract, `contract_id` and `promised_percent` are empty."""

    contract_id: ContractId
    promised_percent: PercentNumber
    months: list[SlaMonth]
    clause: str


def contracts_tools(backend: SandboxBackend) -> list[Tool]:
    """Reads of contracts."""
    return [
        read_tool(
            backend,
            "contracts.get_sla",
            Sla,
            get_sla,
            summary="The promised uptime, the measured uptime of the last months (newest first) and credits owed.",
            status="Checking your uptime",
        )
    ]


async def get_sla(account: Account, _arguments: Any) -> Sla:
    """The promise and every measured month."""
    customer = await account.customer()
    contracts = await account.all(Contract)
    if not contracts:
        none = f"No uptime promise on the {customer.plan} plan."
        return Sla(contract_id="", promised_percent="", months=[], clause=none)
    contract = contracts[0]
    credited = {credit.month for credit in await account.all(Credit) if credit.state == "applied"}
    months = sorted(await account.all(Uptime), key=lambda uptime: uptime.month, reverse=True)
    return Sla(
        contract_id=contract.id,
        promised_percent=percent(contract.uptime_promised),
        months=[
            SlaMonth(
                month=uptime.month,
                measured_percent=percent(uptime.measured),
                breached=uptime.measured < contract.uptime_promised,
                credit_due=credit_owed(contract, uptime.measured),
                currency=contract.currency,
                credited=uptime.month in credited,
            )
            for uptime in months
        ],
        clause=contract.clause,
    )


def credit_owed(contract: Contract, measured: int) -> int:
    """The credit for one month in minor units: the share that the contract's table gives, of a twelfth of its value."""
    if measured >= contract.uptime_promised:
        return 0
    share = max((row["percent"] for row in contract.credit_table if measured < row["below"]), default=0)
    return (contract.yearly_value_minor * share + 600) // 1200


def percent(basis_points: int) -> str:
    """``9990`` as ``99.90``."""
    return f"{basis_points // 100}.{basis_points % 100:02d}"
