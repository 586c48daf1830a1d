"""Settings: read once, from the environment (prefix ``HANDRAIL_``) and ``.env``."""

import secrets
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

ROOT = Path(__file__).resolve().parent.parent
PROMPTS = ROOT / "prompts"
POLICIES = ROOT / "tools" / "policies"


class BrokenSettings(Exception):
    """A setting cannot be used; the message names it and says how to mend it."""


class Settings(BaseSettings):
    """All that an operator can set."""

    model_config = SettingsConfigDict(
        env_prefix="HANDRAIL_", env_file=".env", extra="ignore", env_ignore_empty=True, populate_by_name=True
    )

    home: Path = Field(default=Path(".handrail"), description="Where everything is kept: database, Chroma, artefacts.")
    database_url: str | None = Field(default=None, description="Default: SQLite in HOME. Or postgresql+psycopg://...")
    chroma_url: str | None = Field(default=None, description="Default: embedded in HOME. Or http://host:port")
    model: str = Field(default="embedded", pattern=r"^(embedded|openai:.+)$")
    embeddings: str = Field(default="embedded", pattern=r"^(embedded|openai:.+)$")
    billing: Literal["sandbox", "stripe"] = "sandbox"
    stripe_api_key: SecretStr | None = Field(default=None, description="Of a restricted key, with BILLING=stripe.")
    stripe_base_url: str | None = Field(
        default=None, pattern=r"^https?://\S+$", description="Of a Stripe stand-in. Default: Stripe itself."
    )
    stripe_seconds: float = Field(default=20.0, gt=0, description="Time limit of one call of a billing tool.")
    stripe_webhook_secret: SecretStr | None = Field(
        default=None, description="Signs what Stripe sends to /v1/webhooks/stripe. Without it nothing is taken."
    )
    provisioning: Literal["sandbox", "scim"] = "sandbox"
    scim_url: str | None = Field(
        default=None, pattern=r"^https?://\S+$", description="The SCIM 2.0 service's base, with PROVISIONING=scim."
    )
    scim_token: SecretStr | None = Field(default=None, description="The bearer token of the SCIM service.")
    scim_roles: Literal["roles", "groups"] = Field(
        default="roles", description="Where the SCIM service keeps roles: in users' `roles`, or in groups of that name."
    )
    scim_seconds: float = Field(default=10.0, gt=0, description="Time limit of one call of an access tool.")
    stripe_per_second: float = Field(default=20.0, gt=0, description="Calls of Stripe tools a second, this process.")
    scim_per_second: float = Field(default=20.0, gt=0, description="Calls of access tools a second, this process.")
    mcp_per_second: float = Field(default=20.0, gt=0, description="Calls a second of each MCP server, this process.")
    backend_breaker_failures: int = Field(default=5, ge=1, description="Failures in a row that stop asking a backend.")
    backend_breaker_seconds: float = Field(default=30.0, gt=0, description="How long it is then left alone.")
    mcp_config: Path | None = Field(default=None, description="YAML that maps tools of MCP servers into this service.")
    secret_key: SecretStr | None = Field(default=None, description="Signs tokens. Default: made once, kept in HOME.")
    company: str = "Larkspur Cloud"
    default_stage: Literal["off", "shadow", "assist", "canary", "autonomous"] = "autonomous"
    seed: int = 0
    host: str = "127.0.0.1"
    port: int = Field(default=8321, ge=0, le=65535)
    smtp_url: SecretStr | None = Field(
        default=None,
        description="Sends one-time codes: smtp://user:password@host:587 (STARTTLS) or smtps://... Without it they "
        "stay in the outbox, where a development home shows them.",
    )
    mail_from: str = Field(default="support@localhost", description="The sender of these letters.")
    development: bool = Field(default=True, description="Sample page, sample tokens and the sandbox company.")
    openai_base_url: str | None = Field(
        default=None,
        validation_alias="OPENAI_BASE_URL",
        pattern=r"^https?://\S+$",
        description="Where the model's endpoint is; most servers want it to end in /v1. Default: OpenAI's.",
    )
    openai_api_key: SecretStr | None = Field(
        default=None, validation_alias="OPENAI_API_KEY", description="Its key. A server of one's own may need none."
    )
    model_seconds: float = Field(default=20.0, gt=0, description="Time limit of one model call.")
    model_total_seconds: float = Field(default=25.0, gt=0, description="Time limit of all attempts at one proposal.")
    model_attempts: int = Field(default=2, ge=1, le=5, description="How often a call is tried that may pass later.")
    model_streaming: bool = Field(default=False, description="Ask for the answer in pieces. Customers see no drafts.")
    model_temperature: float | Literal["unset"] = Field(
        default=0.0, description="`unset` sends none, for models that take none."
    )
    model_max_tokens: int | None = Field(default=None, ge=16, description="Bounds an answer. Default: sends none.")
    model_breaker_failures: int = Field(default=5, ge=1, description="Failures in a row that stop asking the endpoint.")
    model_breaker_seconds: float = Field(default=30.0, gt=0, description="How long it is then left alone.")
    model_price_in: float = Field(default=0.0, description="Millionths of the house currency per prompt token.")
    model_price_out: float = Field(default=0.0, description="Millionths of the house currency per answered token.")
    costs: Path = Field(default=PROMPTS / "costs.yaml", description="What people, waiting and mistakes cost.")
    confidence: Path | None = Field(
        default=None, description="What `eval calibrate --out` wrote. Default: what comes with the product."
    )
    turn_seconds: float = Field(default=60.0, gt=0)
    turn_model_calls: int = Field(default=12, ge=1)
    max_message_chars: int = Field(default=8000, ge=100)

    @classmethod
    def read(cls, **given: object) -> "Settings":
        """The settings. Raises `BrokenSettings` with one line that names the setting."""
        try:
            return cls(**given)  # type: ignore[arg-type]
        except ValidationError as error:
            first = error.errors()[0]
            name = str(first["loc"][0]).upper()
            name = name if name.startswith("OPENAI_") else f"HANDRAIL_{name}"
            raise BrokenSettings(f"setting {name}: {first['msg']}") from None

    @property
    def connected(self) -> bool:
        """Whether anything but the sandbox is behind the tools, or letters leave by mail."""
        elsewhere = (self.billing, self.provisioning) != ("sandbox", "sandbox")
        return elsewhere or self.mcp_config is not None or self.smtp_url is not None

    @property
    def sends_codes(self) -> bool:
        """Whether one-time codes reach anybody: by mail, or in a development home through its outbox."""
        return self.development or self.smtp_url is not None

    @property
    def database(self) -> str:
        """The database's URL."""
        return self.database_url or f"sqlite+aiosqlite:///{self.home / 'handrail.db'}"

    @property
    def artefacts(self) -> Path:
        """Where models that were fitted here are kept."""
        return self.home / "artefacts"

    @property
    def sandbox_path(self) -> Path:
        """The sandbox company's own database."""
        return self.home / "sandbox.db"

    def signing_key(self) -> str:
        """The key that signs tokens; made on first use and readable only by its owner."""
        if self.secret_key is not None:
            return self.secret_key.get_secret_value()
        path = self.home / "secret.key"
        if not path.exists():
            self.home.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600)
            path.write_text(secrets.token_urlsafe(48), encoding="utf-8")
        return path.read_text(encoding="utf-8").strip()
