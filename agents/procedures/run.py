"""What a message means for the procedures under way, and then a turn of them.

`ProcedureRun.turn` is a generator: it yields each tool call that it proposes and is sent what became of it, and it
returns what to say.
"""

from typing import Any

from agents.brief import Route
from agents.consent import asks_price, declines, names_as_not_meant, requests, rules_out
from agents.frame import ActiveProcedure
from agents.procedures.candidates import Several, all_named, identity, says_not_me
from agents.procedures.choosing import only_chooses, topics_meant
from agents.procedures.expressions import ExpressionError
from agents.procedures.filling import MOST_EACH
from agents.procedures.procedure import Procedure, Step
from agents.procedures.quote import quote
from agents.procedures.refusing import only_turned_round, refuses
from agents.procedures.replies import TemplateProblem
from agents.procedures.slots import additions, candidates_of, find, in_all, revisions
from agents.procedures.steps import Steps
from agents.procedures.under_way import (
    MAX_ASKED,
    RELEVANT,
    RELEVANT_IF_ASKED,
    SURE,
    Proposals,
    Speech,
    StartOver,
    Stop,
    TopicChange,
)
from agents.triage.courtesy import only_agrees, settles, wants_instead
from agents.triage.phrasing import asks, leans, orders
from agents.triage.questions import asks_how_to
from agents.withdrawal import (
    begins_by_dropping,
    denies,
    drops_request,
    sets_aside,
    speaks_of,
    turns_down,
    undoes,
    undoes_change,
)

MOST_NAMED = 3
"""So many matters at most are named to a customer who is asked which one they mean."""


class ProcedureRun(Steps):
    """One turn of the embedded model."""

    def turn(self) -> Proposals:
        """Propose calls until there is something to say."""
        try:
            self._understand()
            while self.frame.active is not None:
                try:
                    yield from self._continue()
                except (TopicChange, StartOver):
                    continue
                self._next_matter()
        except Stop as stop:
            return stop.speech
        except (ExpressionError, TemplateProblem) as problem:
            return self._hand_over(self._queue(), f"the procedure cannot go on: {problem}")
        return Speech(self._text(), "reply", citations=tuple(self.citations))

    # What the message means for the matter at hand

    def _understand(self) -> None:
        frame, brief = self.frame, self.brief
        invited, frame.invited = frame.invited, None
        frame.pending = [waits for waits in frame.pending if not self._is_not_meant(self.library.for_intent(waits[0]))]
        agreed = brief.offer_answer == "yes"  # then it has been done, and nothing may say that it was left
        if frame.active is not None and not agreed and self._is_not_meant(self._procedure(frame.active)):
            self._start_without(frame.active)
            return
        if brief.offer_answer is not None and frame.active is not None:
            self._answer_to_offer(frame.active)
            return
        asked = frame.active is not None and frame.active.waiting_for is not None
        if frame.active is not None and (drops_request(brief.text) or (asked and settles(brief.text))):
            self._set_aside()
            self.spoken.append(self._system("system_dropped"))
            if frame.active is None:
                raise Stop(Speech(self._text(), "reply"))
            return
        declined = frame.last is not None and frame.last.declined
        nothing_new = (
            declined or brief.route.kind != "start" or (begins_by_dropping(brief.text) and not asks(brief.text))
        )
        if frame.active is None and nothing_new and drops_request(brief.text):
            frame.clarifying, frame.clarified_words = [], ""
            raise Stop(Speech(self._system("system_dropped"), "reply"))
        if frame.active is None and not frame.clarifying and invited is None and only_agrees(brief.text):
            raise Stop(Speech(self._system("system_nothing_open"), "question"))
        if frame.active is None and (undoes(brief.text) or undoes_change(brief.text)):
            self._undo()
        if frame.clarifying and brief.route.kind != "start" and brief.answers.puts_off(brief.text):
            raise Stop(Speech(self._system("system_take_time"), "question"))
        if frame.active is None and frame.clarifying and sets_aside(brief.text):
            frame.clarifying, frame.clarified_words = [], ""
            raise Stop(Speech(self._system("system_dropped"), "reply"))
        if frame.clarifying and brief.route.kind != "start":
            chosen = topics_meant(frame, brief.text, brief.ranking, self.library)
            named = frame.clarifying
            self._only_chose = only_chooses(len(named), brief.text)
            before = frame.clarified_words
            words = before if self._only_chose else f"{before}\n{brief.text}"
            frame.clarifying, frame.clarified_words = [], ""
            if chosen:
                self._asked_for = True
                self._start(tuple((intent, words) for intent in chosen))
                self._take_way(chosen, named)
                self._latest_first(before)
                return
        match brief.route.kind:
            case "start" | "clarify" | "out_of_scope" if frame.active is None and self._was_declined(brief.route):
                raise Stop(Speech(self._system("system_dropped"), "reply"))
            case "start" if frame.active is None or self._starts_another(frame.active):
                if frame.active is not None and denies(brief.text, self._procedure(frame.active).title):
                    frame.stack.pop()
                before = frame.clarified_words if frame.clarifying else ""
                self._start(self._with_first_words(self._not_denied(brief.route.intents)))
                if before and frame.active is not None and frame.active.opening.startswith(before):
                    self._latest_first(before)
            case "start" | "continue" if frame.active is not None:
                self._correct(frame.active)
            case "resume" if frame.last is not None:
                frame.stack, frame.last, frame.acted = [frame.last], None, None
                frame.stack[-1].asked = {}
                self._correct(frame.stack[-1], adding=True)
            case "clarify":
                self._clarify()
            case _ if not frame.failed_turns and declines(brief.text):
                raise Stop(Speech(self._system("system_dropped"), "reply"))
            case _ if frame.last is not None and self._documented():
                self._start(((self.library.topics.answering, brief.text),))
            case _:
                self._out_of_scope()

    def _with_first_words(self, requests: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
        """The requests; one about which the customer was just asked, with the words that led to the question."""
        frame = self.frame
        return tuple(
            (intent, f"{frame.clarified_words}\n{words}" if intent in frame.clarifying else words)
            for intent, words in requests
        )

    def _not_denied(self, requests: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
        """The requests less those of which the message says that it is not about them, where any is left."""
        meant = tuple(
            (intent, words)
            for intent, words in requests
            if (procedure := self.library.for_intent(intent)) is None
            or not denies(self.brief.text, procedure.title.partition(" ")[2])
        )
        return meant or requests

    def _documented(self) -> bool:
        """Whether the message only asks something, and the help centre answers it."""
        text, answering = self.brief.text, self.library.topics.answering
        return bool(answering) and "?" in text and not orders(text) and self.brief.relevance >= RELEVANT

    def _take_way(self, chosen: list[str], named: list[str]) -> None:
        """Who chose between more and fewer has said which: their first words no longer decide it."""
        active, kin = self.frame.active, self.library.topics.kin
        if active is not None and len(chosen) == 1 and any(frozenset((chosen[0], other)) in kin for other in named):
            for name, slot in self._procedure(active).slots.items():
                if slot.type == "direction" and slot.default is not None:
                    active.slots[name] = slot.default.evaluate({})

    def _latest_first(self, before: str) -> None:
        """What a choice of a matter says of it counts before the words that led to the question."""
        active = self.frame.active
        if active is not None and not self._only_chose and not self.frame.pending and self._says_more(active):
            active.opening, active.answers = self.brief.text, [before]

    def _set_aside(self) -> None:
        """Leave the matter under way as one that the customer no longer wants."""
        dropped = self.frame.stack.pop()
        dropped.offering, dropped.declined = False, True
        self._settle(dropped)

    def _is_not_meant(self, procedure: Procedure | None) -> bool:
        """Whether the message says of a matter that it is not the one meant ("the two seats, no")."""
        return procedure is not None and names_as_not_meant(self.brief.text, procedure.subjects)

    def _start_without(self, active: ActiveProcedure) -> None:
        """Leave a matter that is not the one meant ("no, not the subscription"), and take up what else is asked for."""
        here = self._procedure(active).intent
        others = tuple(pair for pair in self.brief.route.intents if pair[0] != here)
        self._set_aside()
        self._consumed = True
        if self.brief.route.kind == "start" and others:
            self._start(others)
            return
        self.spoken.append(self._system("system_dropped"))
        if self.frame.active is None and not self.frame.pending:
            raise Stop(Speech(self._text(), "reply"))
        self._next_matter()

    def _was_declined(self, route: Route) -> bool:
        """Whether a message says once more that what was spoken of shall not be, and names nothing else for it."""
        last, text = self.frame.last, self.brief.text
        if last is None:
            return False
        procedure = self._procedure(last)
        if revisions(procedure, last, text, self.today) or wants_instead(text):
            return False
        clear = max((p for _, p in self.brief.ranking), default=0.0) >= SURE
        if route.kind != "start" and not clear and not procedure.small_talk and self.brief.answers.stays_with_no(text):
            return True
        again = {intent for intent, _ in route.intents} == {procedure.intent}
        return last.declined and again and turns_down(text)

    def _undo(self) -> None:
        """A person sees to what shall be undone; what was declined needs no undoing."""
        settled = [matter for matter in (self.frame.last, self.frame.acted) if matter is not None]
        offered = [matter for matter in settled if self._procedure(matter).offered]
        if undoes_change(self.brief.text):
            offered = [matter for matter in offered if speaks_of(self.brief.text, self._procedure(matter).title)]
        acted = next(iter(offered), None)
        if acted is not None and not acted.declined:
            procedure = self._procedure(acted)
            raise Stop(self._hand_over(procedure.queue, f"wants undone what was just done: {procedure.title}"))
        if undoes_change(self.brief.text):
            raise Stop(self._hand_over(self._likeliest_queue(), "wants undone what was arranged before"))

    def _likeliest_queue(self) -> str:
        """The team of what the message speaks of most, whatever it wants of it."""
        procedures = (self.library.for_intent(intent) for intent, _ in self.brief.ranking)
        return next((p.queue for p in procedures if p is not None and not p.small_talk), self.brief.likely_queue)

    def _answer_to_offer(self, active: ActiveProcedure) -> None:
        step = self._procedure(active).steps[active.position]
        if self.brief.offer_answer != "other":  # what answers the offer answers no other question
            self._consumed = True
        match self.brief.offer_answer:
            case "no":
                self._decline(active, step)
            case "other":
                active.offering = False
                if drops_request(self.brief.text):
                    self._set_aside()
                    raise Stop(Speech(self._system("system_dropped"), "reply"))
                if self._takes_in(active):
                    self.spoken.append(self._system("system_one_by_one"))
                    return
                procedure, text = self._procedure(active), self.brief.text
                refused = refuses(self.brief, procedure, active, self.today)
                if refused and only_turned_round(procedure, active, text, self.today):
                    self._decline(active, step)
                    return
                if self._correct(active):
                    return
                if begins_by_dropping(self.brief.text):
                    self._decline(active, step)
                    return
                if self._starts_another(active):
                    if rules_out(self.brief.text) or turns_down(self.brief.text):
                        self.frame.stack.pop()
                    self._start(self.brief.route.intents)
                    return
                if refused:
                    self._decline(active, step)
                    return
                self._keep_for_later()
                active.asked["offer"] = active.asked.get("offer", 0) + 1
                if active.asked["offer"] > MAX_ASKED:
                    raise Stop(self._hand_over(self._queue(), "the customer neither accepted nor declined the offer"))
                self._answer_beside_offer()
            case _ if not active.offering:  # another model had offered it, outside of these steps
                self.frame.stack.pop()
                if not self.carried_out:
                    raise Stop(self._hand_over(self._queue(), "what the customer agreed to could not be done"))
                self.spoken.append(self._system("system_offer_done", offer=self.brief.offer_text))
                raise Stop(Speech(self._text(), "reply"))
            case _:
                active.offering = False
                self._then(active)

    def _takes_in(self, active: ActiveProcedure) -> bool:
        """Put the same for another record behind what is offered, where both are named in one list."""
        procedure = self._procedure(active)
        for name, slot in procedure.slots.items():
            candidates = candidates_of(slot, active) if active.slots.get(name) is not None else None
            if not candidates or slot.optional:
                continue
            found = find(slot, self.brief.text, candidates, asked=True, today=self.today)
            each = all_named(slot, found, self.brief.text, self.today) if isinstance(found, Several) else []
            if active.slots[name] in each and len(each) <= MOST_EACH:
                for value in each:
                    if value != active.slots[name]:
                        self._then_again(active, {name: value})
                return True
        return False

    def _then(self, active: ActiveProcedure) -> None:
        """Put what is wanted beside what was agreed to where it comes next."""
        brief = self.brief
        if brief.route.kind == "start":
            self.frame.pending = [p for p in brief.route.intents if self.library.for_intent(p[0])] + self.frame.pending
        if brief.again:
            self._then_again(active, brief.again)

    def _then_again(self, active: ActiveProcedure, changed: dict[str, Any]) -> None:
        again = ActiveProcedure(name=active.name, opening=active.opening, slots={**active.slots, **changed})
        self.frame.stack.insert(-1, again)

    def _keep_for_later(self) -> None:
        """Remember what was asked for beside words that neither accept nor decline ("yes send it. And mail me ...")."""
        if self.brief.route.kind == "continue":
            waiting = {intent for intent, _ in self.frame.pending}
            self.frame.pending += [pair for pair in self.brief.route.intents if pair[0] not in waiting]

    def _answer_beside_offer(self) -> None:
        """What stands in the documentation to a question that was asked instead of a yes."""
        quoted = quote(self.brief.text, self.brief.passages) if self.brief.relevance >= RELEVANT else None
        if asks_price(self.brief.text, self.brief.offers):
            self.spoken.append(self._system("system_offer_price"))
        elif "?" not in self.brief.text and not asks_how_to(self.brief.text):
            self.spoken.append(self._system("system_offer_again"))
        elif quoted is None:
            self.spoken.append(self._system("system_offer_question"))
        else:
            self.spoken.append(quoted.text)
            self.citations.append(quoted.document_id)

    def _decline(self, active: ActiveProcedure, step: Step) -> None:
        """Say that nothing was done, and go on with what else was asked for."""
        self.frame.declined_offers += 1
        self.spoken.append(self.templates.reply(step.declined or "system_offer_declined", self._names(active)))
        active.offering, active.declined = False, True
        self._settle(self.frame.stack.pop())
        here = self._procedure(active).intent
        others = tuple(pair for pair in self.brief.route.intents if pair[0] != here)
        if self.brief.route.kind == "start" and others:
            self._start(others)
            return
        if self.frame.active is None and not self.frame.pending:
            raise Stop(Speech(self._text(), "reply"))
        self._next_matter()

    def _correct(self, active: ActiveProcedure, *, adding: bool = False) -> bool:
        """Take over a changed value ("no, the other invoice"); the procedure then starts over with it.

        `adding`: also what was left open before.
        """
        procedure, text = self._procedure(active), self.brief.text
        changed = revisions(procedure, active, text, self.today)
        changed |= additions(procedure, active, text, self.today) if adding and not changed else {}
        changed = {name: value for name, value in changed.items() if not self._is_ruled_out(active, name, value)}
        if changed:
            active.in_all = in_all(self.brief.text, active.in_all, opening=False)
            active.slots |= changed
            active.position, active.waiting_for, active.saved = 0, None, {}
        return bool(changed)

    def _is_ruled_out(self, active: ActiveProcedure, name: str, value: Any) -> bool:
        """Whether a user is the writer, who says that they are not meant ("not me, the other one")."""
        slot = self._procedure(active).slots[name]
        mine = str(self.brief.customer.get("contact_email", "")).lower()
        users = candidates_of(slot, active) or [] if slot.type == "user" else []
        return says_not_me(self.brief.text) and any(
            identity(slot, user) == value and str(user.get("email", "")).lower() == mine for user in users
        )

    def _clarify(self) -> None:
        intents = [intent for intent, _ in self.brief.route.intents if self.library.for_intent(intent)][:MOST_NAMED]
        answering = self.library.topics.answering
        answered = bool(answering) and "?" in self.brief.text and self.brief.relevance >= RELEVANT
        answered = answered and not orders(self.brief.text)
        last = self._procedure(self.frame.last).intent if self.frame.last is not None else ""
        follows_up = answered and last and leans(self.brief.text)
        follows_up = follows_up and not requests(self.brief.text) and not orders(self.brief.text)
        clear = max((p for _, p in self.brief.ranking), default=0.0) >= SURE
        how_to = bool(answering) and not clear and asks_how_to(self.brief.text)
        how_to = how_to and self.brief.relevance >= RELEVANT_IF_ASKED
        nothing_else = set(intents) <= {answering} and (answered or last == answering)
        if follows_up or how_to or nothing_else:
            self._start(((answering, self.brief.text),))
            return
        if answered and len(intents) < MOST_NAMED:
            intents = list(dict.fromkeys((*intents, answering)))
        self._not_understood()
        self.frame.clarifying, self.frame.clarified_words = intents, self.brief.text
        topics = [self.library.for_intent(intent).title for intent in intents]  # type: ignore[union-attr]
        raise Stop(Speech(self._system("system_clarify", topics=topics), "question"))
