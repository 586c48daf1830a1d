"""What the policies must know of mapped tools: an action for each, and the records that they touch."""

from pathlib import Path

from tools.mcp_connector.config import McpConfig, McpConfigError
from tools.policy import NO_ADDITIONS, PolicyAdditions, PolicyError

CEDAR_TYPES = {"string": "String", "integer": "Long", "boolean": "Bool"}


def additions_from(path: Path | None) -> PolicyAdditions:
    """What the file of this setting adds to the policies; nothing without one. Raises `PolicyError`."""
    if path is None:
        return NO_ADDITIONS
    try:
        return policy_additions(McpConfig.load(path))
    except McpConfigError as error:
        raise PolicyError(f"setting HANDRAIL_MCP_CONFIG: {error}") from None


def policy_additions(config: McpConfig) -> PolicyAdditions:
    """The operator's Cedar files and the schema that they are checked against. Raises `McpConfigError`."""
    entities = [_entity(name, attributes) for name, attributes in sorted(config.entities().items())]
    actions = [
        f'action "{name}" appliesTo {{ principal: [Agent], resource: [{form.resource.type}], context: Circumstances }};'
        for name, form in sorted(config.form.tools.items())
    ]
    return PolicyAdditions(tuple(config.policy_files()), "\n".join([*entities, *actions]))


def _entity(name: str, attributes: dict[str, str]) -> str:
    """A type of record. Every attribute is optional, as a server may leave it out."""
    declared = "".join(f", {attribute}?: {CEDAR_TYPES[type_]}" for attribute, type_ in sorted(attributes.items()))
    return f"entity {name} = {{ owner: Customer{declared} }};"
