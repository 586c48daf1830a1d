"""Reads procedures from Markdown files and refuses what could not work, with file and line."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agents.frame import ASKS_WHICH
from agents.procedures.expressions import Expression, ExpressionError
from agents.procedures.procedure import Procedure, ProcedureLibrary, Risk, Slot, SlotType, Step, StepKind
from agents.procedures.replies import TemplateProblem, Templates
from tools.placed_yaml import SafeLoader

STEP_KINDS: tuple[StepKind, ...] = ("call", "reply", "say", "escalate", "answer", "goto", "procedure")


class BrokenProcedure(Exception):
    """A procedure file that cannot be used: ``file line N: what is wrong and how to mend it``."""

    def __init__(self, path: Path, line: int, problem: str) -> None:
        super().__init__(f"{path} line {line}: {problem}")


class _SlotForm(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)
    type: SlotType
    ask: str = ""
    source: str | None = Field(default=None, alias="from")
    where: str | None = None
    label: str | None = None
    choices: dict[str, list[str]] | list[str] = {}
    default: str | None = None
    unanswered: str | None = None
    total: str | None = None
    in_use: str | None = None
    present: str | None = None
    optional: bool = False
    when_many: dict[str, str] = {}


class _StepForm(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)
    call: str | None = None
    reply: str | None = None
    say: str | None = None
    escalate: str | None = None
    answer: Literal["knowledge"] | None = None
    goto: str | None = None
    procedure: str | None = None
    when: str | bool | None = None
    label: str | None = None
    arguments: dict[str, Any] = Field(default={}, alias="with")
    save: str | None = None
    declined: str | None = None
    why: str = ""
    invites: str | None = None


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str
    intent: str
    title: str
    risk: Risk
    queue: str = "general"
    examples: list[str] = Field(min_length=12)
    likelier: str | None = None
    unlikelier: str | None = None
    subjects: list[str] = []
    slots: dict[str, _SlotForm] = {}
    steps: list[_StepForm] = Field(min_length=1)
    closing: bool = True


def load_procedures(
    folder: Path, templates: Templates, tools: Mapping[str, frozenset[str]], queues: frozenset[str] | None = None
) -> ProcedureLibrary:
    """Load every ``*.md`` of a folder.

    `tools` maps each tool's name to the names of its arguments; `queues` are the queues there are. Raises
    `BrokenProcedure` for the first file that names an unknown tool, argument, slot, reply, queue or label, holds an
    expression or text that does not parse, or has a step that can never be reached.
    """
    found: dict[str, Procedure] = {}
    paths: dict[str, Path] = {}
    for path in sorted(folder.glob("*.md")):
        procedure = _Reader(path, templates, tools, queues).read()
        if procedure.name in found or any(procedure.intent == other.intent for other in found.values()):
            raise BrokenProcedure(path, 2, f"another file already has the name or the intent {procedure.intent!r}")
        found[procedure.name], paths[procedure.name] = procedure, path
    for procedure in found.values():
        for step in procedure.steps:
            if step.invites is not None and not any(step.invites == other.intent for other in found.values()):
                raise BrokenProcedure(paths[procedure.name], step.line, f"no procedure serves {step.invites!r}")
            if step.kind == "procedure" and step.target not in found:
                raise BrokenProcedure(paths[procedure.name], step.line, f"unknown procedure {step.target!r}")
    return ProcedureLibrary(found)


class _Reader:
    def __init__(
        self, path: Path, templates: Templates, tools: Mapping[str, frozenset[str]], queues: frozenset[str] | None
    ) -> None:
        self.path, self.templates, self.tools, self.queues = path, templates, tools, queues
        self.lines: dict[tuple[str | int, ...], int] = {}

    def read(self) -> Procedure:
        form, guidance = self._form()
        slots = {name: self._slot(name, slot) for name, slot in form.slots.items()}
        for name, slot in slots.items():
            for other, value in slot.when_many.items():
                if other not in slots or value not in slots[other].choices:
                    known = ", ".join(f"{n}: {v}" for n, s in slots.items() for v in s.choices)
                    problem = f"there is no choice {other}: {value}; there are {known or 'no choices'}"
                    raise self.fail(("slots", name, "when_many"), problem)
        steps = [self._step(index, step, slots) for index, step in enumerate(form.steps)]
        self._check_flow(steps)
        return Procedure(
            name=form.name,
            intent=form.intent,
            title=form.title,
            risk=form.risk,
            queue=self._known_queue(form.queue, ("queue",)),
            examples=form.examples,
            likelier=self._situation(form.likelier, ("likelier",)),
            unlikelier=self._situation(form.unlikelier, ("unlikelier",)),
            subjects=tuple(form.subjects),
            slots=slots,
            steps=steps,
            guidance=guidance,
            small_talk=not form.closing,
        )

    def fail(self, place: tuple[str | int, ...], problem: str) -> BrokenProcedure:
        while place and place not in self.lines:
            place = place[:-1]
        return BrokenProcedure(self.path, self.lines.get(place, 1), problem)

    def _form(self) -> tuple[_Form, str]:
        text = self.path.read_text(encoding="utf-8")
        if not text.startswith("---\n") or "\n---" not in text[4:]:
            raise BrokenProcedure(self.path, 1, "the file must begin with front matter between two lines of ---")
        front, _, guidance = text[4:].partition("\n---")
        try:
            loader = SafeLoader(front)
            node = loader.get_single_node()
            content = loader.construct_document(node) if node is not None else None
        except yaml.MarkedYAMLError as error:
            line = (error.problem_mark.line if error.problem_mark else 0) + 2
            raise BrokenProcedure(self.path, line, f"not valid YAML: {error.problem}") from None
        self._note_lines(node, ())
        if not isinstance(content, dict):
            raise BrokenProcedure(self.path, 2, "the front matter must be a mapping")
        try:
            return _Form.model_validate(content), guidance.strip()
        except ValidationError as error:
            first = error.errors()[0]
            place = tuple(first["loc"])
            raise self.fail(place, f"{'.'.join(map(str, place))}: {first['msg']}") from None

    def _note_lines(self, node: yaml.Node | None, place: tuple[str | int, ...]) -> None:
        if node is None:
            return
        self.lines[place] = node.start_mark.line + 2
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                self._note_lines(value, (*place, key.value))
        elif isinstance(node, yaml.SequenceNode):
            for index, value in enumerate(node.value):
                self._note_lines(value, (*place, index))

    def _slot(self, name: str, form: _SlotForm) -> Slot:
        place = ("slots", name)
        if form.source is not None and form.source not in self.tools:
            raise self.fail((*place, "from"), f"unknown tool {form.source!r}")
        if not form.ask and not form.optional and form.default is None:
            raise self.fail(place, f"slot {name!r} needs an `ask`, a `default` or `optional: true`")
        choices = form.choices if isinstance(form.choices, dict) else {choice: [choice] for choice in form.choices}
        if name == ASKS_WHICH:
            raise self.fail(
                place, f"a slot cannot be called {name!r}: so a question is called that asks which matter is meant"
            )
        if form.total is not None and form.type not in ("count", "direction"):
            raise self.fail(
                (*place, "total"), "only a count or a direction can follow from how many there shall be in all"
            )
        if form.in_use is not None and form.total is None:
            raise self.fail((*place, "in_use"), "it needs a `total`: the value that leaves so many follows from that")
        if form.present is not None and (form.type != "plan" or form.source is None):
            raise self.fail((*place, "present"), "only a plan that is chosen from a list can have one that it is now")
        if form.type == "choice" and not choices:
            raise self.fail(place, f"slot {name!r} is a choice and needs `choices`")
        for part in filter(None, (form.ask, form.label)):
            self._template(part, place)
        return Slot(
            name=name,
            type=form.type,
            ask=form.ask,
            source=form.source,
            where=self._expression(form.where, (*place, "where")) if form.where else None,
            label=form.label,
            choices={value: [value.replace("_", " "), *phrases] for value, phrases in choices.items()},
            default=self._expression(form.default, (*place, "default")) if form.default is not None else None,
            unanswered=self._expression(form.unanswered, (*place, "unanswered")) if form.unanswered else None,
            total=self._expression(form.total, (*place, "total")) if form.total is not None else None,
            in_use=self._expression(form.in_use, (*place, "in_use")) if form.in_use is not None else None,
            present=self._expression(form.present, (*place, "present")) if form.present is not None else None,
            optional=form.optional,
            when_many=form.when_many,
        )

    def _step(self, index: int, form: _StepForm, slots: dict[str, Slot]) -> Step:
        place = ("steps", index)
        kinds: list[StepKind] = [kind for kind in STEP_KINDS if getattr(form, kind) is not None]
        if len(kinds) != 1:
            raise self.fail(place, f"a step needs exactly one of {', '.join(STEP_KINDS)}; this one has {len(kinds)}")
        kind: StepKind = kinds[0]
        target: str = getattr(form, kind)
        if kind == "call":
            self._check_call(place, target, form.arguments)
        elif kind in ("reply", "say"):
            self._known_reply(target, (*place, kind))
        elif kind == "escalate":
            self._known_queue(target, (*place, "escalate"))
        if form.declined is not None:
            self._known_reply(form.declined, (*place, "declined"))
        step = Step(
            kind=kind,
            target=target,
            line=self.lines.get(place, 1),
            when=self._expression(_condition(form.when), (*place, "when")) if form.when is not None else None,
            label=form.label,
            arguments={
                name: self._expression(_literal(value), (*place, "with", name))
                for name, value in form.arguments.items()
            },
            save=form.save,
            declined=form.declined,
            why=form.why,
            invites=form.invites,
            speaks_of=self.templates.slots_of(target) if kind in ("reply", "say") else (),
        )
        for slot in (*step.speaks_of, *(slot for expression in step.expressions for slot in expression.slots)):
            if slot not in slots:
                raise self.fail(place, f"unknown slot {slot!r}; the slots are {', '.join(slots) or 'none'}")
        return step

    def _check_call(self, place: tuple[str | int, ...], tool: str, arguments: dict[str, Any]) -> None:
        if tool not in self.tools:
            raise self.fail((*place, "call"), f"unknown tool {tool!r}")
        for name in arguments:
            if name not in self.tools[tool]:
                known = ", ".join(sorted(self.tools[tool])) or "none"
                raise self.fail((*place, "with", name), f"{tool} has no argument {name!r}; it has {known}")

    def _check_flow(self, steps: list[Step]) -> None:
        labels = {step.label for step in steps if step.label}
        for index, step in enumerate(steps):
            if step.kind == "goto" and step.target not in labels:
                raise self.fail(("steps", index, "goto"), f"unknown label {step.target!r}")
            ends = step.kind in ("reply", "escalate", "answer", "goto", "procedure") and step.when is None
            if ends and index + 1 < len(steps) and steps[index + 1].label is None:
                raise self.fail(("steps", index + 1), "this step can never be reached: the one before always ends")
        if steps[-1].kind in ("call", "say") or steps[-1].when is not None:
            raise self.fail(("steps", len(steps) - 1), "the last step must end the procedure whatever happens")

    def _expression(self, source: str, place: tuple[str | int, ...]) -> Expression:
        try:
            return Expression(source)
        except ExpressionError as error:
            raise self.fail(place, str(error)) from None

    def _situation(self, source: str | None, place: tuple[str | int, ...]) -> Expression | None:
        if source is None:
            return None
        expression = self._expression(source, place)
        if unknown := expression.variables - {"customer"}:
            raise self.fail(place, f"a situation is told from `customer`; unknown: {', '.join(sorted(unknown))}")
        return expression

    def _template(self, source: str, place: tuple[str | int, ...]) -> None:
        try:
            self.templates.check(source, "text")
        except TemplateProblem as error:
            raise self.fail(place, str(error)) from None

    def _known_reply(self, name: str, place: tuple[str | int, ...]) -> None:
        if name not in self.templates.names:
            raise self.fail(place, f"unknown reply {name!r}: there is no prompts/replies/{name}.md")

    def _known_queue(self, name: str, place: tuple[str | int, ...]) -> str:
        if self.queues is not None and name not in self.queues:
            raise self.fail(place, f"unknown queue {name!r}; the queues are {', '.join(sorted(self.queues))}")
        return name


def _condition(value: str | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else value


def _literal(value: Any) -> str:
    """YAML numbers and booleans are CEL literals too."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)
