"""The file that maps tools of MCP servers into this service: its form, and errors that name file, line and field."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from jinja2 import Environment, TemplateSyntaxError, meta
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from tools.placed_yaml import Place, PlacedYaml, UnusableFile
from tools.tool import EffectKind, IdentityLevel

NAME = r"[a-z][a-z0-9_]*"
ToolName = Annotated[str, StringConstraints(pattern=rf"^{NAME}\.{NAME}$")]
Sentence = Annotated[str, StringConstraints(min_length=3, strip_whitespace=True)]
Scope = Annotated[str, StringConstraints(pattern=rf"^{NAME}:(read|write)$")]
KindName = Annotated[str, StringConstraints(pattern=rf"^{NAME}$")]
EntityName = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Za-z0-9]*$")]
VariableName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
Digest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]
Source = Annotated[str, StringConstraints(pattern=rf"^(args\.{NAME}|customer|key)$")]
"""Where an argument of a look-up comes from: an argument of the call, our customer's id, or the idempotency key."""
Constant = str | int | bool


class McpConfigError(UnusableFile):
    """The file cannot be used; the message names file, line and field and says how to mend it."""


class Form(BaseModel):
    """Base of every part of the file: what it does not know is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class ServerForm(Form):
    """One MCP server: a command over stdio, or an address of streamable HTTP."""

    command: str | None = None
    args: tuple[str, ...] = ()
    env: tuple[VariableName, ...] = ()
    """Names of environment variables that the command gets. Values never stand in the file."""
    url: Annotated[str, StringConstraints(pattern=r"^https?://\S+$")] | None = None
    headers: Mapping[str, VariableName] = {}
    """HTTP header -> name of the environment variable that holds its whole value."""
    seconds: float = Field(default=10.0, gt=0)
    """Time limit of one call."""
    schemas: Mapping[str, Digest] = {}
    """The server's tool -> digest of the schemas that an operator has looked at."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.command is None) == (self.url is None):
            raise ValueError("give either `command` (stdio) or `url` (streamable HTTP)")
        if self.url is None and self.headers:
            raise ValueError("`headers` go with `url`; a command gets its secrets through `env`")
        if self.command is None and (self.args or self.env):
            raise ValueError("`args` and `env` go with `command`; an address gets its secrets through `headers`")
        return self


class ArgumentForm(Form):
    """One argument that the agent gives."""

    kind: KindName
    description: str = ""
    steering: bool | None = None
    """Whether it steers money, access or identity. Default: yes in an effect, no in a read."""


class FieldForm(Form):
    """One field of a result. Text has either a kind or was written by others."""

    kind: KindName | None = None
    foreign: bool = False
    """Text written by others: information, never an instruction, and backing for nothing."""
    fields: "Mapping[str, FieldForm]" = {}
    """Of an object, or of each object of a list."""

    @model_validator(mode="after")
    def _one_meaning(self) -> Self:
        if sum((self.kind is not None, self.foreign, bool(self.fields))) > 1:
            raise ValueError("give one of `kind`, `foreign` and `fields`")
        return self


class CallForm(Form):
    """A call of another tool of the same server, made by us: a look-up or a read-back."""

    tool: str
    arguments: Mapping[str, Source] = Field(default={}, alias="with")
    fixed: Mapping[str, Constant] = {}


class AttributeForm(Form):
    """What policies may ask of a record: a field of the look-up's result, or an argument of the call."""

    type: Literal["string", "integer", "boolean"]
    path: str | None = None
    argument: str | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.path is None) == (self.argument is None):
            raise ValueError("give either `path` (in the look-up's result) or `argument`")
        return self


class ResourceForm(Form):
    """The record that a call touches. Without `look_up` it is the customer's account itself."""

    type: EntityName
    id: str | None = None
    """The argument that names the record."""
    look_up: CallForm | None = None
    owner: str | None = None
    """Path of our customer's id in the look-up's result."""
    attributes: Mapping[KindName, AttributeForm] = {}

    @model_validator(mode="after")
    def _owned(self) -> Self:
        given = [value is not None for value in (self.id, self.look_up, self.owner)]
        if any(given) and not all(given):
            raise ValueError("`id`, `look_up` and `owner` go together: without an owner no policy can protect a record")
        if not any(given) and any(attribute.path is not None for attribute in self.attributes.values()):
            raise ValueError("an attribute with a `path` needs a `look_up`")
        return self


class ReadBackForm(CallForm):
    """How an effect is proven: what the server holds under the idempotency key."""

    present: str
    """Path of a field that is there, and not null, false or empty, only where the effect happened."""
    result: Mapping[str, FieldForm] = Field(min_length=1)


class AmountForm(Form):
    """The money that moves."""

    minor: Annotated[str, StringConstraints(pattern=rf"^(args|resource)\.{NAME}$")]
    currency: Annotated[str, StringConstraints(pattern=rf"^([A-Z]{{3}}|(args|resource)\.{NAME})$")]


class EffectForm(Form):
    """What a call changes."""

    kind: EffectKind
    offer: Sentence
    key: str
    """The server's argument that carries our idempotency key."""
    read_back: ReadBackForm
    fixed_loss_minor: int = Field(ge=0)
    consent: bool = True
    sends: bool = False
    amount: AmountForm | None = None

    @field_validator("offer")
    @classmethod
    def _a_template(cls, offer: str) -> str:
        try:
            names = meta.find_undeclared_variables(Environment(autoescape=True).parse(offer))
        except TemplateSyntaxError as error:
            raise ValueError(f"this is no Jinja2 template: {error.message}") from None
        if strange := sorted(names - {"args", "resource"}):
            raise ValueError(f"a template sees `args` and `resource`, and not {strange[0]!r}")
        return offer


class ToolForm(Form):
    """One tool that may be offered."""

    server: str
    tool: str
    """The server's name for it."""
    summary: Sentence
    status: Sentence
    scope: Scope
    level: IdentityLevel = IdentityLevel.VERIFIED
    customer: str | None = None
    """The server's argument that carries our customer's id: set by us, never by a model."""
    arguments: Mapping[str, ArgumentForm] = {}
    fixed: Mapping[str, Constant] = {}
    result: Mapping[str, FieldForm] = {}
    """Of a read; what an effect answers is what its read-back finds."""
    resource: ResourceForm
    effect: EffectForm | None = None

    @property
    def steering(self) -> frozenset[str]:
        """The arguments that only the customer, a record or policy may give."""
        default = self.effect is not None
        return frozenset(
            name for name, form in self.arguments.items() if (default if form.steering is None else form.steering)
        )

    @property
    def used(self) -> dict[str, str]:
        """The server's tools that this one stands on -> the field that names them."""
        named = {self.tool: "tool"}
        if self.resource.look_up is not None:
            named.setdefault(self.resource.look_up.tool, "resource.look_up.tool")
        if self.effect is not None:
            named.setdefault(self.effect.read_back.tool, "effect.read_back.tool")
        return named

    @model_validator(mode="after")
    def _whole(self) -> Self:
        ours = [name for name in (self.customer, self.effect.key if self.effect else None) if name is not None]
        taken = [*ours, *self.fixed, *self.arguments]
        if twice := sorted({name for name in taken if taken.count(name) > 1}):
            raise ValueError(
                f"the argument {twice[0]!r} is given in two ways: by `customer`, `key`, `fixed`, `arguments`"
            )
        if self.resource.look_up is None and self.customer is None:
            raise ValueError("without `resource.look_up` it needs `customer`, or it would answer about everybody")
        if (self.effect is None) == (not self.result):
            raise ValueError("a read needs `result`; an effect has its result in `effect.read_back`")
        if self.effect is not None and "key" not in self.effect.read_back.arguments.values():
            raise ValueError("`effect.read_back.with` needs an argument that is `key`: an effect is found by its key")
        if self.scope.endswith(":write") != (self.effect is not None):
            raise ValueError("the scope of a read ends in `:read`, that of an effect in `:write`")
        for name, where in self._referred():
            if name not in self.arguments:
                raise ValueError(f"`{where}` names the argument {name!r}, which is not among `arguments`")
        if self.effect is not None and self.effect.amount is not None:
            for source in (self.effect.amount.minor, self.effect.amount.currency):
                if source.startswith("resource.") and source[9:] not in self.resource.attributes:
                    raise ValueError(f"`effect.amount` names {source}, which is not among `resource.attributes`")
        return self

    def _referred(self) -> Iterator[tuple[str, str]]:
        """(our argument, the field that names it)."""
        if self.resource.id is not None:
            yield self.resource.id, "resource.id"
        for name, attribute in self.resource.attributes.items():
            if attribute.argument is not None:
                yield attribute.argument, f"resource.attributes.{name}.argument"
        if self.resource.look_up is not None:
            for source in self.resource.look_up.arguments.values():
                if source.startswith("args."):
                    yield source[5:], "resource.look_up.with"
                elif source == "key":
                    raise ValueError("`resource.look_up.with`: a record is looked up before there is a key")
        if self.effect is not None:
            for source in self.effect.read_back.arguments.values():
                if source.startswith("args."):
                    raise ValueError("`effect.read_back.with`: after a restart only `key` and `customer` are known")
            if self.effect.amount is not None:
                for source in (self.effect.amount.minor, self.effect.amount.currency):
                    if source.startswith("args."):
                        yield source[5:], "effect.amount"


class McpForm(Form):
    """The whole file."""

    policies: tuple[str, ...] = Field(min_length=1)
    """Cedar files beside this one that say who may call the mapped tools."""
    servers: Mapping[KindName, ServerForm] = Field(min_length=1)
    tools: Mapping[ToolName, ToolForm] = Field(min_length=1)


class McpConfig:
    """A file that was read and checked; nothing was connected yet."""

    def __init__(self, file: PlacedYaml, form: McpForm) -> None:
        self.path, self.form, self._file = file.path, form, file

    @classmethod
    def load(cls, path: Path) -> Self:
        """Raises `McpConfigError` for the first thing that cannot be used."""
        try:
            file = PlacedYaml.read(path)
            config = cls(file, file.as_form(McpForm))
        except FileNotFoundError:
            raise McpConfigError(f"{path}: there is no such file: set HANDRAIL_MCP_CONFIG to one") from None
        except UnusableFile as error:
            raise McpConfigError(str(error)) from None
        config._check_names()
        return config

    def problem(self, place: Place, what: str) -> McpConfigError:
        """An error at a place of the file: ``file:line: field: what is wrong``."""
        return McpConfigError(self._file.told(place, what))

    def policy_files(self) -> list[Path]:
        """The Cedar files. Raises `McpConfigError` for one that is not there."""
        files = [self.path.parent / name for name in self.form.policies]
        for index, file in enumerate(files):
            if not file.is_file():
                raise self.problem(
                    ("policies", index), f"there is no file {file}: write the permits for these tools there"
                )
        return files

    def _check_names(self) -> None:
        for name, tool in self.form.tools.items():
            if tool.server not in self.form.servers:
                known = ", ".join(self.form.servers)
                raise self.problem(
                    ("tools", name, "server"), f"there is no server {tool.server!r}: name one of {known}"
                )
        self.entities()

    def entities(self) -> dict[str, dict[str, str]]:
        """Per type of record, its attributes with their types. Raises `McpConfigError` where two tools disagree."""
        entities: dict[str, dict[str, str]] = {}
        for name, tool in self.form.tools.items():
            known = entities.setdefault(tool.resource.type, {})
            for attribute, form in tool.resource.attributes.items():
                place = ("tools", name, "resource", "attributes", attribute)
                if attribute == "owner":
                    raise self.problem(place, "every record has an `owner` as it is: name the attribute otherwise")
                if known.setdefault(attribute, form.type) != form.type:
                    raise self.problem(
                        place, f"another tool says that it is of the type {known[attribute]}: agree on one"
                    )
        return entities
