"""Carries out the steps of procedures: looks up what they need, and says what they say."""

from collections.abc import Generator
from typing import Any

from agents.frame import ActiveProcedure
from agents.procedures.filling import Filling
from agents.procedures.procedure import Procedure, Step
from agents.procedures.quote import quote
from agents.procedures.under_way import RELEVANT, RELEVANT_IF_ASKED, Call, Outcome, Speech, Stop, TopicChange

NEAR = 0.2
"""Retrieval relevance from which a passage may be shown as what comes nearest, if nothing is relevant."""


class Steps(Filling):
    """Goes through the steps of the matters at hand, one matter after the other."""

    def _continue(self) -> Generator[Call, Outcome, None]:
        active = self.frame.active
        assert active is not None
        procedure = self._procedure(active)
        if active.waiting_for is not None:
            yield from self._fill(active, procedure.slots[active.waiting_for], asked=True)
        while True:
            step = procedure.steps[active.position]
            if step.when is not None and not (yield from self._evaluate(active, step.when)):
                active.position += 1
                continue
            match step.kind:
                case "call":
                    yield from self._call(active, step)
                case "say":
                    yield from self._fill_all(active, step.speaks_of)
                    self.spoken.append(self.templates.reply(step.target, self._names(active)))
                case "goto":
                    active.position = next(i for i, s in enumerate(procedure.steps) if s.label == step.target)
                    continue
                case "procedure":
                    self.frame.stack.pop()
                    self._push(self.library.get(step.target).intent, active.opening)
                    raise TopicChange
                case "reply":
                    yield from self._fill_all(active, step.speaks_of)
                    self.spoken.append(self.templates.reply(step.target, self._names(active)))
                    self.frame.invited = step.invites
                    return
                case "answer":
                    self._answer(procedure, active.opening)
                    return
                case "escalate":
                    raise Stop(self._hand_over(step.target, step.why or procedure.title))
            active.position += 1

    def _call(self, active: ActiveProcedure, step: Step) -> Generator[Call, Outcome, None]:
        arguments: dict[str, Any] = {}
        for name, expression in step.arguments.items():
            value = yield from self._evaluate(active, expression)
            if value is not None:
                arguments[name] = value
        active.offering = True
        outcome = yield Call(step.target, arguments)
        active.offering = False
        if outcome.result is None:
            raise Stop(self._hand_over(self._procedure(active).queue, f"{step.target}: {outcome.problem}"))
        if step.save:
            active.saved[step.save] = outcome.result

    def _answer(self, procedure: Procedure, question: str) -> None:
        nearest = quote(question, self.brief.passages) if self.brief.relevance >= NEAR else None
        enough = RELEVANT_IF_ASKED if self._asked_for else RELEVANT
        quoted = nearest if self.brief.relevance >= enough else None
        if quoted is None and self.frame.pending:
            self.spoken.append(self._system("system_nothing_found_beside"))
            return
        if quoted is None:
            self.frame.failed_turns += 1
            self.frame.stack.pop()
            if self.frame.failed_turns >= 2:
                raise Stop(self._hand_over(procedure.queue, "nothing in the knowledge base answers the question"))
            if nearest is None:
                raise Stop(Speech(self._system("system_nothing_found"), "question"))
            unsure = self._system("system_nearest_found", quoted=nearest.text)
            raise Stop(Speech(unsure, "question", citations=(nearest.document_id,)))
        self.spoken.append(quoted.text)
        self.citations.append(quoted.document_id)

    def _settle(self, done: ActiveProcedure) -> None:
        """Keep what was settled last, and beside it the last that could change something, where that is another."""
        last = self.frame.last
        if self._procedure(done).offered:
            self.frame.acted = None
        elif last is not None and self._procedure(last).offered:
            self.frame.acted = last
        self.frame.last = done

    def _next_matter(self) -> None:
        """Leave the finished procedure; go on with the next request of the message, or return to the paused one."""
        frame = self.frame
        if self.spoken:
            frame.failed_turns = 0
        if frame.stack and frame.active is not None and not frame.active.offering and frame.active.waiting_for is None:
            self._settle(frame.stack.pop())
        if frame.pending:
            self._push(*frame.pending.pop(0))
        elif frame.active is not None:
            title = self._procedure(frame.active).title
            frame.active.asked = {}
            self.spoken.append(self._system("system_back_to", title=title[0].lower() + title[1:]))
