"""`handrail doctor` on the model's endpoint: one sentence that says what is wrong and what to look at."""

import pytest
from pydantic import SecretStr
from scripted_endpoint import Body, Hang, ScriptedEndpoint, Status, Step, calls, says

from app.commands.doctor import check_model
from app.settings import BrokenSettings, Settings

pytestmark = pytest.mark.asyncio(loop_scope="module")


def settings(endpoint: ScriptedEndpoint, **changes: object) -> Settings:
    """Settings that name the endpoint, and wait for it longer than the busiest machine needs for its answer."""
    changes = {"openai_base_url": endpoint.url, "openai_api_key": SecretStr("sk-1234567890"), **changes}
    return Settings(model="openai:scripted", model_seconds=30.0).model_copy(update=changes)


async def test_a_good_endpoint_is_called_good(endpoint: ScriptedEndpoint) -> None:
    endpoint.then(calls(("ready", {})))
    assert await check_model(settings(endpoint)) == f"scripted at {endpoint.url} answers and calls tools"


async def test_a_model_that_calls_no_tools_is_called_weak(endpoint: ScriptedEndpoint) -> None:
    endpoint.then(says("I am ready!"))
    assert "called no tool when asked to" in await check_model(settings(endpoint))


@pytest.mark.parametrize(
    ("step", "says_what"),
    [
        (
            Status(401, message="Incorrect API key provided"),
            "answered 401 (.*Incorrect API key.*): check OPENAI_API_KEY",
        ),
        (Status(404), "answered 404 .* OPENAI_BASE_URL ends as it should .* the model's name in HANDRAIL_MODEL"),
        (Status(400, message="unsupported parameter: temperature"), "HANDRAIL_MODEL_TEMPERATURE=unset"),
        (Status(429), "its limit or quota is spent"),
        (Body("<html>Welcome!</html>", "text/html"), "sent something that is no chat completion"),
    ],
    ids=["key", "path", "parameter", "quota", "web page"],
)
async def test_a_bad_endpoint_is_named_in_one_sentence(endpoint: ScriptedEndpoint, step: Step, says_what: str) -> None:
    endpoint.then(step)
    await _named_in_one_sentence(settings(endpoint), endpoint, says_what)


async def test_an_endpoint_that_says_nothing_is_named_in_one_sentence(endpoint: ScriptedEndpoint) -> None:
    endpoint.then(Hang())
    says_what = "gave no answer within 0.4 s: check OPENAI_BASE_URL and the server"
    await _named_in_one_sentence(settings(endpoint, model_seconds=0.4), endpoint, says_what)


async def _named_in_one_sentence(asked: Settings, endpoint: ScriptedEndpoint, says_what: str) -> None:
    """The check fails with one sentence that says so, names the endpoint and keeps the key to itself."""
    with pytest.raises(ValueError, match=says_what) as found:
        await check_model(asked)
    sentence = str(found.value)
    assert "\n" not in sentence and "sk-1234567890" not in sentence
    assert sentence.startswith(f"scripted at {endpoint.url} ")
    assert sentence.endswith("until then the embedded model serves")


async def test_an_endpoint_that_is_not_there_is_named(endpoint: ScriptedEndpoint) -> None:
    with pytest.raises(ValueError, match="could not be reached"):
        await check_model(settings(endpoint, openai_base_url="http://127.0.0.1:9/v1"))


async def test_settings_of_the_endpoint_are_read_from_the_names_that_the_openai_client_reads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1234567890")
    monkeypatch.setenv("HANDRAIL_MODEL_TEMPERATURE", "unset")
    read = Settings.read()
    assert (read.openai_base_url, read.model_temperature) == ("http://127.0.0.1:9/v1", "unset")
    assert read.openai_api_key == SecretStr("sk-1234567890") and "sk-1234567890" not in repr(read)
    monkeypatch.setenv("OPENAI_BASE_URL", "")
    assert Settings.read().openai_base_url is None
    monkeypatch.setenv("OPENAI_BASE_URL", "127.0.0.1:9")
    with pytest.raises(BrokenSettings, match="setting OPENAI_BASE_URL: "):
        Settings.read()
    monkeypatch.delenv("OPENAI_BASE_URL")
    monkeypatch.setenv("HANDRAIL_MODEL_ATTEMPTS", "0")
    with pytest.raises(BrokenSettings, match="setting HANDRAIL_MODEL_ATTEMPTS: "):
        Settings.read()
