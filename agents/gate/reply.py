"""The gate for replies: figures must be in the evidence, claims must be true, secrets and strangers stay out."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml
from babel.dates import format_date

from agents.gate.verdict import Check, Ruling
from agents.gate.wording import visible
from records.money import Money

_FIGURE = re.compile(r"\d+(?:[.,:/-]\d+)*")
_LIST_NUMBER = re.compile(r"^\s*\d{1,2}[.)]\s", re.MULTILINE)
_IDENTIFIER = re.compile(r"\b[a-z]{2,6}_[0-9a-z_]*\d[0-9a-z_]*\b")
_FORETOLD = re.compile(
    r"\byou(?:'ll| will| shall)(?: not| soon| then| also| only)? (?:see|have|find|get|need|receive)\b(?: \w+){0,2}|"
    r"\b(?:been|is|are) (?:seen to|looked after|taken care of|dealt with)\b",
    re.IGNORECASE,
)
"""What will be, or is settled, said in plain words: true only after an effect, or where the evidence says the same."""
_ADDRESS = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+\w|https?://[^\s)\]>]+")


@dataclass(frozen=True)
class Claim:
    """A statement that is allowed only with the matching record."""

    name: str
    patterns: tuple[re.Pattern[str], ...]
    effects: frozenset[str]
    handoff: bool


@dataclass(frozen=True)
class ReplyRules:
    """`prompts/claims.yaml`."""

    claims: tuple[Claim, ...]
    secrets: tuple[re.Pattern[str], ...]

    @classmethod
    def load(cls, path: Path) -> "ReplyRules":
        """Read and compile the file."""
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        claims = tuple(
            Claim(
                entry["name"],
                tuple(re.compile(pattern, re.IGNORECASE) for pattern in entry["patterns"]),
                frozenset(entry.get("effects", ())),
                bool(entry.get("handoff", False)),
            )
            for entry in content["claims"]
        )
        return cls(claims, tuple(re.compile(pattern) for pattern in content["secrets"]))


def known_figures(texts: Iterable[str], results: Iterable[Any]) -> set[str]:
    """Every way in which the figures of the evidence may be written in a reply."""
    figures: set[str] = set()
    for text in texts:
        figures |= _figures(text)
    for result in results:
        _collect(result, figures)
    return figures


def check_reply(
    text: str,
    rules: ReplyRules,
    *,
    figures: Callable[[], set[str]],
    evidence_text: str,
    verified_tools: frozenset[str],
    handed_off: bool,
    customer_id: str,
) -> Check:
    """Refuse a reply with a figure, identifier or address from nowhere, an untrue claim, or a secret.

    It is judged as it is read: what nobody sees between two letters changes nothing.
    """
    read = visible(text)
    if read != text:
        text, evidence_text = read, f"{evidence_text} {visible(evidence_text)}"
    if any(pattern.search(text) for pattern in rules.secrets):
        return Check("reply", Ruling.REFUSED, "the reply holds what looks like a secret or a full card number")
    strangers = {match for match in re.findall(r"\bcus_\w+", text) if match != customer_id}
    if strangers:
        return Check("reply", Ruling.REFUSED, f"the reply names another customer: {', '.join(sorted(strangers))}")
    for claim in rules.claims:
        if any(pattern.search(text) for pattern in claim.patterns):
            proven = (claim.effects & verified_tools) or (claim.handoff and handed_off)
            if not proven:
                return Check("reply", Ruling.REFUSED, f"the reply claims a {claim.name} that no record proves")
    foretold = _FORETOLD.search(text)
    if foretold and not (verified_tools or handed_off) and foretold[0].lower() not in evidence_text.lower():
        return Check(
            "reply", Ruling.REFUSED, f'the reply says "{foretold[0]}", and no record proves that it will be so'
        )
    for found in (*_ADDRESS.findall(text), *_IDENTIFIER.findall(text)):
        if found.rstrip(".,") not in evidence_text:
            return Check("reply", Ruling.REFUSED, f"the reply names {found}, which is not in the evidence")
    said = _figures(_ADDRESS.sub(" ", _LIST_NUMBER.sub(" ", text)))
    stray = said - figures() if said else said
    if stray:
        return Check(
            "reply", Ruling.REFUSED, f"the reply holds figures that are not in the evidence: {', '.join(sorted(stray))}"
        )
    return Check("reply", figures={"figures_checked": len(said)})


def _figures(text: str) -> set[str]:
    return {match.replace(",", "").rstrip(".:/-") for match in _FIGURE.findall(text)}


def _collect(value: Any, figures: set[str]) -> None:
    if isinstance(value, bool) or value is None:
        return
    if isinstance(value, dict):
        for item in value.values():
            _collect(item, figures)
    elif isinstance(value, list | tuple):
        for item in value:
            _collect(item, figures)
        figures.add(str(len(value)))
    elif isinstance(value, int):
        figures |= {str(value), str(abs(value)), *_figures(str(Money(abs(value), "EUR")))}
        if value % 100 == 0:
            figures.add(str(abs(value) // 100))
    elif isinstance(value, float):
        figures |= {f"{value:g}", f"{value:.2f}", f"{value:.1f}"}
    else:
        figures |= _figures(str(value)) | _date_figures(str(value))


def _date_figures(text: str) -> set[str]:
    if re.fullmatch(r"\d{4}-\d{2}", text):
        return {text[:4], text[5:]}
    if not re.match(r"\d{4}-\d{2}-\d{2}", text):
        return set()
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return set()
    return _figures(format_date(when, "d MMMM y", locale="en_GB")) | {f"{when:%d}", f"{when:%m}", f"{when:%H:%M}"}
