"""Money: integer minor units with a currency, never a float."""

from typing import NamedTuple

from babel.numbers import get_currency_precision


class Money(NamedTuple):
    """An amount in the minor unit of its currency (cents for EUR, yen for JPY)."""

    minor: int
    currency: str

    def __str__(self) -> str:
        """Plain, unambiguous text: ``29.00 EUR``, ``-5.20 USD``, ``900 JPY``."""
        digits = get_currency_precision(self.currency)
        sign = "-" if self.minor < 0 else ""
        units, cents = divmod(abs(self.minor), 10**digits)
        fraction = f".{cents:0{digits}d}" if digits else ""
        return f"{sign}{units:,}{fraction} {self.currency}"
