"""Fills the slots of a procedure: from what was said, from the records, by a rule, or by a question."""

from collections.abc import Generator, Sequence
from typing import Any

from agents.consent import leans_to_yes
from agents.frame import ActiveProcedure
from agents.procedures.candidates import (
    Found,
    Several,
    all_named,
    identity,
    named_in,
    refers_back,
    says_me,
    says_not_me,
    takes_along,
)
from agents.procedures.counts import change_in
from agents.procedures.expressions import Expression
from agents.procedures.missing import not_there
from agents.procedures.procedure import Slot
from agents.procedures.quote import quote
from agents.procedures.slots import by_total, candidates_of, clause_about, find, in_all
from agents.procedures.under_way import (
    MAX_ASKED,
    RELEVANT,
    Call,
    Outcome,
    Speech,
    StartOver,
    Stop,
    TopicChange,
    UnderWay,
)
from agents.triage.courtesy import closes, only_agrees
from agents.triage.phrasing import asks

MAX_ANSWERS = 4
"""So many answers are looked through for what is asked later."""
MOST_EACH = 2
"""So many records at most are gone through one by one where the procedure says what more of them mean."""


def _listed(slot: Slot, shown: Sequence[Any], candidates: Sequence[dict[str, Any]] | None) -> list[dict[str, Any]]:
    """The candidates that a question listed, in its order; "the first" is the first of these."""
    by_value = {identity(slot, item): item for item in candidates or ()}
    return [by_value[value] for value in shown if value in by_value]


class Filling(UnderWay):
    """Finds the values that a procedure needs, and asks for what is missing."""

    def _evaluate(self, active: ActiveProcedure, expression: Expression) -> Generator[Call, Outcome, Any]:
        yield from self._fill_all(active, expression.slots)
        return expression.evaluate(self._names(active))

    def _fill_all(self, active: ActiveProcedure, slots: tuple[str, ...]) -> Generator[Call, Outcome, None]:
        for name in slots:
            if name not in active.slots:
                yield from self._fill(active, self._procedure(active).slots[name], asked=False)

    def _fill(self, active: ActiveProcedure, slot: Slot, *, asked: bool) -> Generator[Call, Outcome, None]:
        candidates = yield from self._candidates(active, slot)
        answering = asked and not self._consumed
        if answering:
            texts = [self.brief.text]
        else:
            latest = () if asked or self._only_chose else (self.brief.text,)
            texts = list(dict.fromkeys((active.opening, *active.answers, *latest)))
        several: Several | None = None
        for text in texts:
            found, among = self._found_in(active, slot, text, candidates, answering=answering)
            several = several or among
            if isinstance(found, Several) and (each := all_named(slot, found, text, self.today)):
                if len(each) > MOST_EACH and not slot.when_many.items() <= active.slots.items():
                    active.slots |= slot.when_many
                    active.position, active.waiting_for = 0, None
                    raise StartOver
                self._do_each(active, each[1:])
                found = Found(each[0])
            if isinstance(found, Found) and takes_along(slot, text):
                beside = self._spoken_of(slot, [text], candidates)
                self._do_each(active, [beside] if beside not in (None, found.value) else [])
            if isinstance(found, Found):
                if answering:
                    self._keep_answer(active)
                self._take(active, slot, found.value)
                return
            several = several or found
        if answering:
            self._keep_answer(active)
        if answering and several is None and self._starts_another(active):
            self._start(self.brief.route.intents)
            raise TopicChange
        if answering and self.brief.answers.puts_off(self.brief.text):
            raise Stop(Speech(self._system("system_take_time"), "question"))
        options = several.candidates if several else candidates
        missing = self._not_there(slot, texts, candidates_of(slot, active) or [], asked=answering)
        named = answering or several is not None or missing
        if not named and (spoken_of := self._spoken_of(slot, texts, candidates)) is not None:
            self._take(active, slot, spoken_of)
            return
        if answering and several is None and slot.unanswered is not None and not asks(self.brief.text):
            self._take(active, slot, slot.unanswered.evaluate(self._names(active)))
        elif (
            several is None
            and not missing
            and candidates is not None
            and len(candidates) <= 1
            and not (answering and active.listed and not self._agrees())  # it was put to them already
            and not slot.optional
            and not (candidates and self._means_another(active, slot, texts, asked=asked))
        ):
            self._take(active, slot, identity(slot, candidates[0]) if candidates else None)
        elif slot.default is not None and several is None and not missing:
            value = yield from self._evaluate(active, slot.default)
            self._take(active, slot, value)
        elif slot.optional:
            self._take(active, slot, None)
        else:
            aside = answering and several is None and not missing and self._answers_aside(active)
            if aside or (answering and self._says_more(active, slot)):
                active.asked[slot.name] = active.asked.get(slot.name, 1) - 1
            self._ask(active, slot, options, missing)

    def _candidates(self, active: ActiveProcedure, slot: Slot) -> Generator[Call, Outcome, list[dict[str, Any]] | None]:
        if slot.source is None:
            return None
        outcome = yield Call(slot.source, {})
        if outcome.result is None:
            raise Stop(self._hand_over(self._procedure(active).queue, f"{slot.source}: {outcome.problem}"))
        active.saved[f"_{slot.name}"] = outcome.result
        return self._candidates_so_far(active, slot)

    def _candidates_so_far(self, active: ActiveProcedure, slot: Slot) -> list[dict[str, Any]] | None:
        items = candidates_of(slot, active)
        if items is None or slot.where is None:
            return items
        return [item for item in items if slot.where.evaluate({**self._names(active), "item": item})]

    def _ask(
        self, active: ActiveProcedure, slot: Slot, options: list[dict[str, Any]] | None, missing: str = ""
    ) -> None:
        count = active.asked.get(slot.name, 0) + 1
        active.asked[slot.name] = count
        most = 1 if active.doubtful else MAX_ASKED
        if count > most:
            why = f"asked {most}x without an answer: {slot.name.replace('_', ' ')}"
            raise Stop(self._hand_over(self._procedure(active).queue, why))
        active.waiting_for = slot.name
        active.listed = []
        question = self.templates.text(slot.ask, self._names(active), f"question of slot {slot.name}")
        if options and slot.label and (len(options) > 1 or missing):
            active.listed = [identity(slot, item) for item in options[:5]]
            labels = [self.templates.text(slot.label, {**self._names(active), "item": item}) for item in options[:5]]
            question += "\n" + "\n".join(f"{number}. {label}" for number, label in enumerate(labels, 1))
        if missing:
            question = f"{self._system('system_not_there', what=missing)} {question}"
        elif count > 1:
            question = f"{self._system('system_ask_again')} {question}"
        self.spoken.append(question)
        raise Stop(Speech(self._text(), "question", citations=tuple(self.citations)))

    def _take(self, active: ActiveProcedure, slot: Slot, value: Any) -> None:
        active.slots[slot.name] = value
        if active.waiting_for == slot.name:
            active.waiting_for = None

    def _do_each(self, active: ActiveProcedure, values: Sequence[Any]) -> None:
        """The same request again for each further record that the customer named."""
        intent = self._procedure(active).intent
        self.frame.pending = [(intent, str(value)) for value in values] + self.frame.pending

    # What the messages say

    def _found_in(
        self,
        active: ActiveProcedure,
        slot: Slot,
        text: str,
        candidates: Sequence[dict[str, Any]] | None,
        *,
        answering: bool,
    ) -> tuple[Found | Several | None, Several | None]:
        """What one text names for a slot, and which of those it leaves open that the question listed."""
        total = in_all(text, None, opening=not answering)
        found: Found | Several | None = by_total(slot, total, self._names(active), text)
        if isinstance(found, Found) and slot.type == "count" and found.value != change_in(text):
            active.in_all = total
        among = None
        if answering and (listed := _listed(slot, active.listed, candidates)):
            among = find(slot, text, listed, asked=True, today=self.today)
            found = found or (among if isinstance(among, Found) else None)
            found = found or self._me_or_not(slot, text, listed)
            if len(listed) == 1 and only_agrees(text):
                found = found or Found(identity(slot, listed[0]))
        found = found or find(slot, text, candidates, asked=answering, today=self.today)
        if isinstance(found, Found) and slot.where is not None and slot.type == "user":
            every = find(slot, text, candidates_of(slot, active), asked=False, today=self.today)
            if isinstance(every, Found) and every.value != found.value:
                found = None  # the record that is named does not come into question, and no other takes its place
        if answering and isinstance(found, Several) and (clause := clause_about(text, self._procedure(active).title)):
            narrower = find(slot, clause, candidates, asked=True, today=self.today)
            found = narrower if isinstance(narrower, Found) else found
        return found, among if isinstance(among, Several) else None

    def _not_there(self, slot: Slot, texts: Sequence[str], candidates: Sequence[dict[str, Any]], *, asked: bool) -> str:
        company = self.brief.company.partition(" ")[0]  # "for Larkspur" names no user
        said = (text.replace(company, " ") if company else text for text in texts)
        named = (not_there(slot, text, candidates, asked=asked, today=self.today) for text in said)
        return next(filter(None, named), "") if candidates else ""

    def _spoken_of(self, slot: Slot, texts: Sequence[str], candidates: Sequence[dict[str, Any]] | None) -> Any:
        """The one record that was spoken of last, where the customer says "that invoice", or "it"; else None."""
        if slot.optional or not candidates or len(candidates) < 2 or not any(refers_back(slot, t) for t in texts):
            return None
        for reply in self.brief.said:
            if named := named_in(slot, reply, candidates):
                return named[0] if len(named) == 1 else None
        return None

    def _means_another(self, active: ActiveProcedure, slot: Slot, texts: Sequence[str], *, asked: bool) -> bool:
        """Whether the customer named a record that does not come into question, so that the only one left is not it."""
        every = candidates_of(slot, active) if slot.where is not None else None
        return bool(every) and any(
            isinstance(find(slot, t, every, asked=asked, today=self.today), Found) for t in texts
        )

    def _me_or_not(self, slot: Slot, text: str, listed: Sequence[dict[str, Any]]) -> Found | None:
        """Of the users that were listed, who writes ("me"), or the only other one ("not me, the other one")."""
        mine = str(self.brief.customer.get("contact_email", "")).lower()
        me = [item for item in listed if mine and str(item.get("email", "")).lower() == mine]
        if slot.type != "user" or len(me) != 1:
            return None
        if says_not_me(text):
            others = [item for item in listed if item not in me]
            return Found(identity(slot, others[0])) if len(others) == 1 else None
        return Found(identity(slot, me[0])) if says_me(text) else None

    def _agrees(self) -> bool:
        """Whether the message begins with a yes ("yes, that one"), and does not only round the matter off."""
        return leans_to_yes(self.brief.text) and not closes(self.brief.text)

    def _says_more(self, active: ActiveProcedure, asked: Slot | None = None) -> bool:
        """Whether a message says what would be asked later ("small, please"), be it no answer to what was asked."""
        others = [s for n, s in self._procedure(active).slots.items() if n not in active.slots and s is not asked]
        named = [s for s in others if s.type in ("choice", "count") and s.source is None and not s.optional]
        return any(isinstance(find(s, self.brief.text, None, asked=False, today=self.today), Found) for s in named)

    def _keep_answer(self, active: ActiveProcedure) -> None:
        if self.brief.text not in active.answers:
            active.answers = [*active.answers, self.brief.text][-MAX_ANSWERS:]

    def _answers_aside(self, active: ActiveProcedure) -> bool:
        """Say what the documentation answers to a question that was asked instead of an answer."""
        asked = active.asked.get("aside", 0)
        if "?" not in self.brief.text or self.brief.relevance < RELEVANT or asked >= MAX_ASKED:
            return False
        quoted = quote(self.brief.text, self.brief.passages)
        if quoted is None:
            return False
        active.asked["aside"] = asked + 1
        self.spoken.append(quoted.text)
        self.citations.append(quoted.document_id)
        return True
