"""The price list of Larkspur Cloud, read from `catalog.yaml`."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

CURRENCIES = ("EUR", "USD", "GBP")


@lru_cache(maxsize=1)
def catalog() -> dict[str, Any]:
    """The parsed file; callers treat it as read-only."""
    return yaml.safe_load(Path(__file__).with_name("catalog.yaml").read_text(encoding="utf-8"))
