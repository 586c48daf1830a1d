"""Redaction: what leaves, what stays, what comes back, and how long it takes."""

import json
import time
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, ToolMessage

from agents.models.redaction import MAX_DEPTH, Redaction
from agents.models.sensitive import iban_valid, luhn_valid
from records.money import Money


def hidden(text: str) -> str:
    """The text as it leaves."""
    return Redaction().hide(text)


@pytest.mark.parametrize(
    ("text", "leaves"),
    [
        ("card 4242 4242 4242 4242, thanks", "card <card_1>, thanks"),
        ("4242424242424242", "<card_1>"),
        ("4242-4242-4242-4243 has a typing error", "<card_1> has a typing error"),
        ("invoice 0042 4242 4242 4242 4242", "invoice 0042 <card_1>"),
        ("on 3 11 2026 4242424242424242 123", "on 3 11 2026 <card_1> 123"),
        ("invoices 0042 0043 0170 1234567", "invoices 0042 <phone_1>"),
        ("order AB12 DE89 3704 0044 0532 0130 00 GB82 WEST 1234 5698 7654 32", "order AB12 <iban_1> <iban_2>"),
        ("amex 3782 822463 10005", "amex <card_1>"),
        ("it is DE89 3704 0044 0532 0130 00 EUR", "it is <iban_1> EUR"),
        ("gb82west12345698765432", "<iban_1>"),
        ("Bob.Smith+x@mail.example.co.uk, please", "<email_1>, please"),
        ("mailto:bob@example.com", "mailto:<email_1>"),
        ("+49 (0)30 901820", "<phone_1>"),
        ("0170 1234567 or 0049 170 1234567", "<phone_1> or <phone_2>"),
        ("(555) 123-4567", "<phone_1>"),
        ("my phone number is 5551234", "my phone number is <phone_1>"),
        ("the code is 483920", "the code is <code_1>"),
        ("verification code I got by sms is 48 39 20", "verification code I got by sms is <code_1>"),
        ("your one-time code: A1B2-C3D4", "your one-time code: <code_1>"),
        ("cvc 123, exp 08/27", "cvc <code_1>, exp 08/27"),
        ("change my pin to 1234", "change my pin to <code_1>"),
        ("password: hunter2", "password: <secret_1>"),
        ("password: swordfish", "password: <secret_1>"),
        ("my password is Tr0ub4dor&3.", "my password is <secret_1>."),
        ('the password is "correct horse"', 'the password is "<secret_1>"'),
        ("token=abc123def", "token=<secret_1>"),
        ("sk_live_4eC39HqLyjWDarjtT1zdp7dc leaked", "<secret_1> leaked"),
        ("AKIAIOSFODNN7EXAMPLE", "<secret_1>"),
        ("Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc", "Bearer <secret_1>"),
        ("-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----", "<secret_1>"),
        ("we are at 221B Baker St., Springfield, IL 62704", "we are at <street_1>"),
        ("Hauptstraße 12a, 10115 Berlin ist neu", "<street_1> ist neu"),
        ("12 rue de la Paix, 75002 Paris", "<street_1>"),
        ("SW1A 1AA and PO Box 123", "<street_1> and <street_2>"),
        ("I am cus_002", "I am <client_1>"),
        ("is <email_1> mine?", "is <mark_1> mine?"),
    ],
)
def test_values_that_an_endpoint_need_not_know_leave_as_placeholders(text: str, leaves: str) -> None:
    redaction = Redaction()
    assert redaction.hide(text) == leaves
    assert redaction.restore(leaves) == text


@pytest.mark.parametrize(
    "text",
    [
        "29.00 EUR, 1,234.56 USD, 1.234.567,89 EUR, 1 234 567 JPY",
        "on 2026-11-03, 03.11.2026 12:30, 11/03/2026, 3 November 2026, 2026-11-23T12:00:00+00:00",
        "invoice 0042, invoices 0042 0043 0044 and INV-2026-004211",
        "in_0042 pay_0042_2 usr_0101 sub_001 doc_001_data_processing off_01933a3e7c1b7000",
        "conv_01933a3e-7c1b-7000-8000-000000000001",
        "01933a3e-7c1b-7000-8000-000000000001",
        "8a4d99cb3606473465375f1f6b51a2261e863ce79b1e685099edf59c6084b9e8",
        "error code 500123, promo code SUMMER2026, postal code 10115, status code 4040",
        "card ending in 4242, expires 2027-08",
        "my password is expired, the password reset does not work, how do I rotate an API key?",
        "5 Starter seats, August 2026; 99.90 % uptime; 100000 calls; 10.0.0.1",
        "order 4512345678901 at 1764000000000",
        "https://console.larkspur.example/invoices/in_0042.pdf",
        "During 2024, Monitoring 24/7, Spring 2026",
    ],
)
def test_what_a_model_works_with_is_left_alone(text: str) -> None:
    assert hidden(text) == text


@given(
    minor=st.integers(0, 10**9),
    currency=st.sampled_from(["EUR", "USD", "JPY"]),
    day=st.dates(),
    number=st.integers(0, 99_999),
    sign=st.sampled_from(["", " ", ": ", "="]),
)
def test_amounts_dates_and_numbers_of_records_are_left_alone(
    minor: int, currency: str, day: Any, number: int, sign: str
) -> None:
    text = f"amount{sign} {Money(minor, currency)} ({minor}) of invoice {number:04} (in_{number:04}), due {day}"
    assert hidden(text) == text


PIECES = st.sampled_from(
    [
        "a@b.example", "A@B.example", "4242 4242 4242 4242", "4242424242424242", "+49 170 1234567", "0170/1234567",
        "DE89370400440532013000", "code 483920", "password: hunter2", "cus_002", "<email_1>", "<mark_1>", "<EMAIL_9>",
        "12 Baker Street", "29.00 EUR", "2026-11-03", "in_0042", "{", '"', "\\", "\n", " ", ", ", "é",
        "sk_live_" + "a1B2" * 5,
    ]
)  # fmt: skip


@given(st.lists(PIECES, max_size=12).map(" ".join))
@example("<email_1> a@b.example")
@example("4242 4242 4242 4242 +49 170 1234567 4242424242424242")
def test_hiding_what_was_restored_gives_the_same_again(text: str) -> None:
    redaction = Redaction()
    leaves = redaction.hide(text)
    assert hidden(redaction.restore(leaves)) == leaves
    assert redaction.hide(text) == leaves


@given(st.text())
def test_any_text_can_be_hidden_and_comes_back(text: str) -> None:
    redaction = Redaction()
    assert redaction.restore(redaction.hide(text)).casefold() == text.casefold()


def test_one_value_has_one_placeholder_in_all_its_spellings_and_in_all_messages() -> None:
    redaction = Redaction()
    assert redaction.hide("Bob@Mail.example or ann@mail.example") == "<email_1> or <email_2>"
    assert redaction.hide("ann@mail.example") == "<email_2>"
    assert redaction.hide_json('{"users": [{"email": "bob@mail.example"}]}') == '{"users": [{"email": "<email_1>"}]}'
    assert redaction.hide("4242 4242 4242 4242, 4242-4242-4242-4242") == "<card_1>, <card_1>"


def test_a_placeholder_that_was_never_given_out_stays() -> None:
    redaction = Redaction()
    redaction.hide("a@b.example")
    assert redaction.restore("<email_1> <EMAIL_1> <email_2> <Card_1>") == "a@b.example a@b.example <email_2> <card_1>"


def test_results_stay_json_whatever_is_hidden_in_them() -> None:
    result = {
        "contact_email": "",
        "email": "not an address",
        "billing_address": {"line1": "Somewhere 1", "city": "Berlin", "postal_code": "10115"},
        "card": 4242424242424242,
        "amount_due": 18400000,
        "memo": 'say "hi" to a@b.example\n{"password": "hunter2"}',
        "by": {"a@b.example": [True, None, 1.5, {"otp": "99"}]},
    }
    redaction = Redaction()
    told = json.loads(redaction.hide_json(json.dumps(result)))
    assert told["billing_address"] == {"line1": "<street_1>", "city": "Berlin", "postal_code": "<street_2>"}
    assert (told["contact_email"], told["email"], told["card"], told["amount_due"]) == (
        "",
        "<email_1>",
        "<card_1>",
        18400000,
    )
    assert told["by"] == {"<email_2>": [True, None, 1.5, {"otp": "<code_1>"}]}
    assert told["memo"].startswith('say "hi" to <email_2>\n')
    assert redaction.restore_all(told) == {**result, "card": "4242424242424242"}


@given(
    st.recursive(
        PIECES | st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=12,
    )
)
def test_any_document_stays_a_document_of_the_same_shape(document: Any) -> None:
    def shape(value: Any) -> Any:
        if isinstance(value, dict):
            return [shape(item) for item in value.values()]
        return [shape(item) for item in value] if isinstance(value, list) else None

    text = json.dumps(document)
    assert shape(json.loads(Redaction().hide_json(text))) == shape(document) or not text.startswith(("{", "["))


def test_documents_too_deep_to_walk_are_hidden_as_text() -> None:
    for levels in (MAX_DEPTH + 5, 5_000):
        text = "[" * levels + '"a@b.example"' + "]" * levels
        assert "@" not in Redaction().hide_json(text)


def test_calls_and_their_outcomes_keep_their_ids_and_lose_the_values() -> None:
    redaction = Redaction()
    call = {"name": "x__y", "args": {"to": [{"address": "a@b.example"}], "n": 3}, "id": "call_1", "type": "tool_call"}
    proposed = redaction.hide_message(
        AIMessage("ok", tool_calls=[call], response_metadata={"frame": {"a": "a@b.example"}})
    )  # type: ignore[list-item]
    outcome = redaction.hide_message(ToolMessage("sent to a@b.example", tool_call_id="call_1", status="error"))
    assert isinstance(proposed, AIMessage) and isinstance(outcome, ToolMessage)
    assert proposed.tool_calls[0]["id"] == outcome.tool_call_id == "call_1"
    assert proposed.tool_calls[0]["args"] == {"to": [{"address": "<street_1>"}], "n": 3}
    assert (outcome.content, outcome.status) == ("sent to <email_1>", "error")
    assert "a@b.example" not in str(proposed) + str(outcome)


@pytest.mark.parametrize(
    "piece",
    [
        "a", "1", "1 ", "1-", "0.", "0(", "+1", "a@", "a.", "x@a.", "Aa1", "Aa1-", "AB12", "AB12 ", "A ", "1 A ",
        "1 Aaaa ", "code ", "code is ",
        "123 ", "12 ", "1234 ", "1234-", "DE12 CD ", "DE11 11 ", "DE12",
        "security ", "tel no no ", "password ", "password is ", "password:", "cus_",
        "<email_1", "sk_a-", "eyJaaaaaaaaaaa.", "-----BEGIN PRIVATE KEY-----", "1 rue aaa ", "Hauptstraße 1 ", "Aaaa ",
        "ß", " ", "\n", "-", '"', "{", "[",
    ],
)  # fmt: skip
def test_time_is_linear_in_the_text_whatever_it_holds(piece: str) -> None:
    text = (piece * 8_000)[:8_000]
    begin = time.thread_time()
    Redaction().hide_json(text)
    assert time.thread_time() - begin < 0.25  # mostly under 0.01; a quadratic pattern needs seconds


def test_a_message_of_usual_length_takes_a_fraction_of_a_millisecond() -> None:
    text = (
        "Hi, I was charged twice for invoice 0042 on 2026-10-01 (29.00 EUR). Call me at 0170 1234567 or write to "
        "marta@brightwater.example. The card is 4242 4242 4242 4242. Thanks, Marta"
    )
    begin = time.thread_time()
    for _ in range(100):
        Redaction().hide(text)
    assert (time.thread_time() - begin) / 100 < 0.001


def test_check_digits_tell_card_and_account_numbers_from_others() -> None:
    assert luhn_valid("4242424242424242") and not luhn_valid("4242424242424241")
    assert luhn_valid("378282246310005") and not luhn_valid("378282246310006")
    assert iban_valid("DE89370400440532013000") and not iban_valid("DE89370400440532013001")
    assert iban_valid("GB82WEST12345698765432")
