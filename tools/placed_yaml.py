"""YAML files that people write, read so that a mistake is told with its file, line and field and how to mend it."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Plain data only; in C where PyYAML was built with it, which is much faster."""
Place = tuple[str | int, ...]
Form = TypeVar("Form", bound=BaseModel)


def plain_data(text: str) -> Any:
    """What a YAML text holds. Raises `yaml.YAMLError`."""
    return yaml.load(text, SafeLoader)  # noqa: S506 (it is a safe one, by another name)


class UnusableFile(ValueError):
    """The file cannot be used; the message names file, line and field and says how to mend it."""


class PlacedYaml:
    """A YAML document that knows on which line each of its fields stands."""

    def __init__(self, path: Path, content: Any, lines: Mapping[Place, int]) -> None:
        self.path, self.content, self._lines = path, content, lines

    @classmethod
    def read(cls, path: Path) -> "PlacedYaml":
        """Raises `UnusableFile` where it is no YAML, FileNotFoundError where it is not there."""
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise
        except (OSError, UnicodeDecodeError) as error:
            raise UnusableFile(f"{path}: it cannot be read ({type(error).__name__}): save it as UTF-8 text") from None
        try:
            node, content = yaml.compose(text, SafeLoader), plain_data(text)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            line = min(mark.line, text.rstrip().count("\n")) + 1 if mark else 1  # the C parser may name the line after
            raise UnusableFile(f"{path}:{line}: this is no YAML: {getattr(error, 'problem', error)}") from None
        return cls(path, content, dict(_lines(node, ())))

    def as_form(self, form: type[Form]) -> Form:
        """The content, checked. Raises `UnusableFile` for the first field that cannot be used."""
        try:
            return form.model_validate(self.content)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = tuple(part for part in first["loc"] if part != "[key]")
            raise UnusableFile(self.told(place, _mend(first))) from None

    def told(self, place: Place, what: str) -> str:
        """What is wrong at a place of the file: ``file:line: field: what``."""
        found = place
        while found and found not in self._lines:
            found = found[:-1]
        field = ".".join(map(str, place))
        where = f"{self.path}:{self._lines.get(found, 1)}"
        return f"{where}: {field}: {what}" if field else f"{where}: {what}"


def _lines(node: yaml.Node | None, place: Place) -> Iterator[tuple[Place, int]]:
    """The line of every place of a document; of a key rather than of what stands under it."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield (*place, key.value), key.start_mark.line + 1
            yield from _lines(value, (*place, key.value))
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield (*place, index), value.start_mark.line + 1
            yield from _lines(value, (*place, index))


def _mend(error: Mapping[str, Any]) -> str:
    """What is wrong and what to do, for the errors that files have mostly."""
    kind = error["type"]
    if kind == "extra_forbidden":
        return "there is no such field: remove it or correct its name"
    if kind == "missing":
        return "it is missing: add it"
    message = re.sub(r"^Value error, ", "", str(error["msg"]))
    if kind == "string_pattern_mismatch":
        return f"it must match {error['ctx']['pattern']}: correct it"
    return message if kind == "value_error" else f"{message}: correct it"
