"""What values look like that an outside endpoint need not know.

Every pattern begins at an anchor and repeats only within bounds, so the time is linear in the text whatever it holds.
Amounts, dates, invoice numbers and ids of records are left alone: a model cannot work without them.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

Spans = Iterator[tuple[int, int]]


@dataclass(frozen=True)
class Rule:
    """How to find the values of one kind.

    `signs` are cheap to look for in the lower-cased text: without any of them, and without a digit where `digit` says
    so, there is no such value. A kind has two to six letters: then the gate takes its placeholder for an identifier,
    which must be in the evidence.
    """

    kind: str
    find: Callable[[str], Spans]
    signs: tuple[str, ...] = ("",)
    digit: bool = True


def rules_for(text: str) -> Iterator[Rule]:
    """The rules that may find something in a text, in order: what an earlier one takes, a later one must not see."""
    if _PLAIN.fullmatch(text):
        return
    low, digit = text.lower(), _DIGIT.search(text) is not None
    for rule in _RULES:
        if (digit or not rule.digit) and any(sign in low for sign in rule.signs):
            yield rule


def kind_of_field(name: str) -> str | None:
    """What a field of a tool's result must hold by its name (`password`, `contact_email`), whatever it looks like."""
    low = name.lower()
    return _FIELDS.get(low) or _FIELDS.get(low.rsplit("_", 1)[-1])


def canonical(kind: str, value: str) -> str:
    """One spelling for all of a value, so that the model sees that `Bob@x.com` is `bob@x.com`."""
    match kind:
        case "card" | "phone":
            return re.sub(r"\D", "", value)
        case "iban":
            return re.sub(r"\s", "", value).upper()
        case "email" | "client":
            return value.casefold()
    return value


def luhn_valid(digits: str) -> bool:
    """Whether the last digit is the check digit of a payment card (ISO/IEC 7812-1, Annex B)."""
    doubled = [int(digit) * 2 for digit in digits[-2::-2]]
    return (sum(map(int, digits[-1::-2])) + sum(n - 9 if n > 9 else n for n in doubled)) % 10 == 0


def iban_valid(iban: str) -> bool:
    """Whether an IBAN without spaces has the right check digits (ISO 13616, mod 97-10)."""
    return int("".join(str(int(character, 36)) for character in iban[4:] + iban[:4])) % 97 == 1


_FIELDS = {
    **dict.fromkeys(["email"], "email"),
    **dict.fromkeys(["phone", "mobile", "fax"], "phone"),
    **dict.fromkeys(["iban"], "iban"),
    **dict.fromkeys(["address", "address1", "address2", "street", "line1", "line2"], "street"),
    **dict.fromkeys(["zip", "postcode", "postal_code"], "street"),
    **dict.fromkeys(["password", "secret", "token", "api_key"], "secret"),
    **dict.fromkeys(["pin", "otp", "cvc", "cvv"], "code"),
}


def _every(pattern: re.Pattern[str]) -> Callable[[str], Spans]:
    return lambda text: (found.span() for found in pattern.finditer(text))


def _first_come(spans: Iterable[tuple[int, int]]) -> Spans:
    """The spans in the order of the text, without those that overlap one that was given before them."""
    taken: list[tuple[int, int]] = []
    places: set[int] = set()
    for start, end in spans:
        if places.isdisjoint(range(start, end)):
            places.update(range(start, end))
            taken.append((start, end))
    return iter(sorted(taken))


def _apart(spans: Iterable[tuple[int, int]]) -> Spans:
    """The spans in order, without those that begin within an earlier one."""
    end = 0
    for span in sorted(spans):
        if span[0] >= end:
            yield span
            end = span[1]


_GROUP = re.compile(r"[^ -]+")
_WORD = re.compile(r"\w")


# Card numbers: Luhn-valid, or grouped the way cards are (then also with a typing error in them). Other numbers may
# stand right before or after, so groups are looked for at every place, and the proper ones first.

_CARDS = tuple(
    re.compile(rf"(?<![\w.,-])(?=({card})(?![\w-]))")
    for card in (
        r"[1-9]\d{3}([ -])\d{4}\2\d{4}\2\d{4}",
        r"[1-9]\d{3}([ -])\d{6}\2\d{4,5}",
        r"[1-9]\d{3}([ -])\d{4}\2\d{4}\2\d{4}\2\d{3}",
        r"[1-9]\d{12,18}",
    )
)
_ODDLY_GROUPED_CARD = re.compile(r"(?<![\w.,-])[1-9](?:[ -]?\d){12,18}(?![\w-])")


def _cards(text: str) -> Spans:
    proper = [found.span(1) for pattern in _CARDS for found in pattern.finditer(text)]
    odd = [found.span() for found in _ODDLY_GROUPED_CARD.finditer(text)]
    valid = [(start, end) for start, end in (*proper, *odd) if _card_number(text[start:end])]
    mistyped = [(start, end) for start, end in proper if not text[start:end].isdecimal()]
    return _first_come([*valid, *mistyped])


def _card_number(candidate: str) -> bool:
    digits = canonical("card", candidate)
    moment = len(digits) == 13 and digits[0] != "4"  # milliseconds since 1970
    return luhn_valid(digits) and not moment


# IBANs: each country has its length (SWIFT, IBAN registry, release 99), so what follows need not be guessed at.

_IBAN = re.compile(r"(?<![\w-])(?=([A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,29}))", re.IGNORECASE | re.ASCII)
_IBAN_LENGTHS = {
    code[:2]: int(code[2:])
    for code in (
        "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 "
        "ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 "
        "LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 "
        "PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 "
        "YE30"
    ).split()
}


def _ibans(text: str) -> Spans:
    return _apart(span for found in _IBAN.finditer(text) if (span := _iban_at(text, *found.span(1))))


def _iban_at(text: str, start: int, end: int) -> tuple[int, int] | None:
    length = _IBAN_LENGTHS.get(text[start : start + 2].upper(), 0)
    places = [place for place in range(start, end) if text[place] != " "][:length]
    if not length or len(places) < length:
        return None
    end = places[-1] + 1
    return (start, end) if iban_valid(canonical("iban", text[start:end])) and not _WORD.match(text, end) else None


# Phone numbers: with a plus; national with a leading zero; in the North American grouping; after a word that says so.

_PHONES = (
    re.compile(r"(?<![\w+])\+\d(?:[ ./()-]{0,2}\d){6,14}(?!\w)"),
    re.compile(r"(?<![\w.,:/+-])\(?0\d(?:[ ./()-]{0,2}\d){7,13}(?![\w:-]|[.,]\d)"),
    re.compile(r"(?<![\w.,:/+-])(?:1[ .-])?(?:\([2-9]\d{2}\) ?|[2-9]\d{2}[ .-])\d{3}[ .-]\d{4}(?![\w-]|[.,]\d)"),
    re.compile(
        r"\b(?:phone|telephone|telefon|tel|mobile|cell|whatsapp|fax|handy|call (?:me|us)(?: back)?|reach (?:me|us))\b"
        r"(?:\W{1,3}(?:number|no|is|at|on|under|ist)\b){0,3}\W{1,3}(\+?\(?\d(?:[ ./()-]{0,2}\d){5,14})(?![\w:]|[.,]\d)",
        re.IGNORECASE,
    ),
)
_DATE = re.compile(r"\d{1,2}([./-])\d{1,2}\1\d{2,4}|\d{4}-\d{2}-\d{2}")


def _phones(text: str) -> Spans:
    return _apart(span for pattern in _PHONES for span in _phones_like(pattern, text))


def _phones_like(pattern: re.Pattern[str], text: str) -> Spans:
    position = 0
    while found := pattern.search(text, position):
        start, end = found.span(found.lastindex or 0)
        if _DATE.search(text, start, end) or _several_numbers(text[start:end]):
            position = start + len(_GROUP.match(text, start)[0])  # type: ignore[index]
        else:
            yield start, end
            position = end


def _several_numbers(text: str) -> bool:
    """`0042 0043 0044` are invoices."""
    groups = re.findall(r"\d+", text)
    return len(groups) > 1 and all(group.startswith("0") for group in groups)


# One-time codes and PINs: known by the word before them, unless that is another kind of code.

_SECURITY = (
    r"(?:one[- ]?time|verification|security|confirmation|log[- ]?in|sign[- ]?in|access|auth\w{0,12}|2fa|mfa|sms|backup|"
    r"recovery|reset|unlock|bank)"
)
_BETWEEN = (
    r"(?:\W{1,3}(?:is|was|are|it'?s|number|no|i|got|have|received|you|sent|me|we|from|the|your|my|app|sms|text|email|"
    r"on|by|via|in|that|which|to|back|of|card|ist|lautet|est|es|for)\b){0,8}[\s:=#\"'(]{1,3}"
)
_CODE = (
    r"(\d(?:[ -]?\d){2,9}|(?=[A-Z0-9-]{0,12}\d)[A-Z0-9]{3,8}(?:-[A-Z0-9]{3,8}){0,3})(?!\w|[.,]\d)"  # 483920, A1B2-C3D4
)
_SECURITY_CODE = re.compile(
    rf"\b(?:{_SECURITY}[ -](?:pass)?(?:code|pin)s?|otp|passcode|pin(?:[ -](?:code|number))?|tan|cvc2?|cvv2?|csc)\b"
    + _BETWEEN
    + _CODE,
    re.IGNORECASE,
)
_PLAIN_CODE = re.compile(
    rf"\b(?:([a-z]{{2,16}})[ -])?code\b{_BETWEEN}(\d{{4,8}})(?!\w|[.,]\d)",
    re.IGNORECASE,
)
_OTHER_CODES = frozenset(
    "error status exit response return http promo promotion discount voucher coupon gift postal post zip area country "
    "currency invoice product item article reason plan region language tax vat sort bar qr source cost booking "
    "department project customer".split()
)


def _codes(text: str) -> Spans:
    security = [found.span(1) for found in _SECURITY_CODE.finditer(text)]
    plain = [found.span(2) for found in _PLAIN_CODE.finditer(text) if (found[1] or "").lower() not in _OTHER_CODES]
    return _apart(security + plain)


# Passwords and the like: known by the word before them and by how they are introduced. "My password is expired" gives
# nothing away; "my password is hunter2" and "password: swordfish" do.

_AFTER_WORD = re.compile(
    r"\b(?:pass(?:word|phrase|wd)|pwd|passwor[td]|kennwort|mot de passe|contraseña|api[ _-]?key|"
    r"(?:access|secret|private|client|auth|bearer|api|session|refresh)[ _-](?:key|secret|token)|"
    r"secret|token|credentials?)"
    r"(?:"
    r"[ \t]{0,3}[:=][ \t]{0,3}[\"'`]?(?=[^\s<]{0,63}[\d!@#$%^&*_+~]|[^\s<]{4,64}[ \t]{0,8}(?:\n|$))|"
    r"(?:[ \t]+(?:for|of|to)[ \t]+[\w.@-]{1,40})?[ \t]+(?:is|was|ist|lautet|est|es)[ \t]+(?:now[ \t]+)?"
    r"(?:[\"'`]|(?=[^\s<]{0,63}[\d@#$%^&*_+~]))|"
    r"[ \t]+[\"'`]|[ \t]+(?=[^\s<]{0,63}\d)(?=[^\s<]{0,63}[A-Za-z])"
    r")(?:(?<=[\"'`])([^<\"'`\n]{4,128})(?=[\"'`])|([^\s<\"'`]{4,128}))",
    re.IGNORECASE,
)


def _passwords(text: str) -> Spans:
    for found in _AFTER_WORD.finditer(text):
        start, end = found.span(found.lastindex or 0)
        while end - start > 4 and text[end - 1] in ".,;:!?)":
            end -= 1
        yield start, end


# Keys and tokens: known by their prefix, or by being long and mixed.

_KEY = (
    r"(?<![\w-])(?:"
    r"(?:sk|pk|rk|whsec|xox[a-z]|gh[opsru]|glpat|npm|hf|dop_v1|shp[a-z]{2}|github_pat)[-_][\w-]{16,255}|"
    r"(?:AKIA|ASIA)[0-9A-Z]{16}|AIza[\w-]{35}|eyJ[\w-]{10,4000}(?:\.[\w-]{1,4000}){1,2}|"
    r"(?=[A-Za-z0-9+/_-]{32})(?=[A-Za-z0-9+/=_-]{0,64}[a-z])(?=[A-Za-z0-9+/=_-]{0,64}[A-Z])(?=[A-Za-z0-9+/=_-]{0,64}\d)"
    r"[A-Za-z0-9+/_-]{32,4000}={0,2}"
    r")(?![\w-])"
)
_PRIVATE_KEY = r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[^-]*(?:-----END [A-Z ]{0,30}PRIVATE KEY-----)?"

_EMAIL = r"(?<![\w.+%-])[\w.+%-]{1,64}@(?:[\w-]{1,63}\.){1,8}[\w-]{2,24}"

# Postal addresses: a street with its number in English, German or French, on to the town; British postcodes; boxes.

_CAPITAL = r"[A-ZÄÖÜÉ]"
_TOWN = rf"(?:,?[ \n]{{1,2}}(?:[A-Z]{{1,2}}-)?\d{{4,5}} {_CAPITAL}[\w.-]{{1,30}}(?: {_CAPITAL}[\w.-]{{1,30}}){{0,2}})?"
_STREETS = (
    (
        r"(?<![\w.,])\d{1,5}[A-Za-z]? (?:[A-Z][\w'.-]{0,24} ){1,4}(?:Street|St|Road|Rd|Avenue|Ave|Lane|Ln|Drive|Dr|"
        r"Boulevard|Blvd|Way|Court|Ct|Place|Pl|Square|Sq|Terrace|Close|Crescent|Highway|Hwy|Parkway|Pkwy)\b\.?"
        r"(?:,? (?:Apt|Apartment|Suite|Ste|Unit|Floor|#)\.? ?[\w-]{1,8})?"
        r"(?:,[ \n]{1,2}[A-Z][a-z.'-]{1,24}(?: [A-Z][a-z.'-]{1,24}){0,2})?(?:,? [A-Z]{2} \d{5}(?:-\d{4})?)?",
        ("",),
    ),
    (
        rf"(?<!\w)(?:(?:{_CAPITAL}[\w.-]{{1,30}} ){{1,2}}(?:Straße|Strasse|Str\.|Weg|Platz|Allee|Gasse|Ring|Damm|Ufer)|"
        rf"{_CAPITAL}[\w.-]{{2,30}}(?:straße|strasse|str\.|weg|platz|allee|gasse|damm|ufer)) \d{{1,4}} ?[a-z]?"
        rf"(?!\w){_TOWN}",
        ("straße", "strasse", "str.", "weg", "platz", "allee", "gasse", "ring", "damm", "ufer"),
    ),
    (
        r"(?<![\w.,])\d{1,4}(?: bis| ter)?,? (?:rue|avenue|boulevard|place|chemin|allée|impasse|quai) "
        rf"[\w'’. -]{{3,40}}{_TOWN}",
        ("rue ", "avenue ", "boulevard ", "place ", "chemin ", "allée ", "impasse ", "quai "),
    ),
    (r"(?<!\w)[A-Z]{1,2}\d[A-Z\d]? \d[A-Z]{2}(?!\w)", (" ",)),
    (r"(?<!\w)P\.? ?O\.? Box \d{1,7}(?!\w)", (" box ",)),
)

PLACEHOLDER = re.compile(r"<(?:mark|card|iban|email|phone|code|secret|street|client)_\d{1,4}>", re.IGNORECASE)


_DIGIT = re.compile(r"\d")
_PLAIN = re.compile(
    r"(?!(?:cus|sk|pk|rk|whsec|xox.|gh.|glpat|npm|hf)[_-])[a-z_]{0,32}(?:\d{1,8}(?:_\d{1,4})?)?|\d{4}-\d{2}(?:-\d{2})?"
)
"""One word, number, month, date or id of a record: most of what stands in a tool's result. It needs no closer look."""

_RULES: tuple[Rule, ...] = (
    # What already looks like a placeholder gets one, or it would come back as somebody's value.
    Rule("mark", _every(PLACEHOLDER), ("<",)),
    Rule("secret", _every(re.compile(_PRIVATE_KEY)), ("private key",), digit=False),
    Rule("email", _every(re.compile(_EMAIL)), ("@",), digit=False),
    Rule("secret", _every(re.compile(_KEY)), digit=False),
    Rule(
        "secret",
        _passwords,
        ("pass", "pwd", "kennwort", "contrase", "key", "secret", "token", "credential"),
        digit=False,
    ),
    Rule("iban", _ibans),
    Rule("card", _cards),
    Rule("code", _codes, ("code", "otp", "pin", "tan", "cvc", "cvv", "csc")),
    *(Rule("street", _every(re.compile(pattern)), signs) for pattern, signs in _STREETS),
    Rule("phone", _phones),
    Rule("client", _every(re.compile(r"(?<!\w)cus_\w{1,40}(?!\w)", re.IGNORECASE)), ("cus_",), digit=False),
)
