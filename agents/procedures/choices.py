"""Which of a slot's choices a text wishes for, and which it only speaks of."""

import re
from functools import lru_cache

from agents.procedures.candidates import Found, plain
from agents.procedures.procedure import Slot
from tools.provenance import NUMBER_WORDS

NUMBER = rf"(?:\d{{1,4}}|{'|'.join(word for word in NUMBER_WORDS if word not in ('a', 'an', 'another', 'zero'))})"


def choice_wished(slot: Slot, text: str, *, settled: bool = False) -> Found | None:
    """The choice that stands where something shall lead ("from billing to member"), else one that is no reason for
    another ("a cache to take load off the server"), else the longest phrase.

    `settled`: it has a value, which only a wish changes, and no reason or likeness ("the same place as our
    database").
    """
    low = plain(text)
    for beside in (_APOLOGY, _SETTLED, _KEPT, _NOT_THAT):
        low = beside.sub(" ", low)
    wished = _UNWANTED.sub(" ", _TAKEN_AWAY.sub(" ", low))
    found = _choice_in(slot, wished, settled=settled)
    return found or (_choice_in(slot, low, settled=settled) if wished != low else None)


def _choice_in(slot: Slot, low: str, *, settled: bool) -> Found | None:
    reasons = [(reason.start(), reason.end()) for reason in _REASON.finditer(low)]
    hits = [
        (
            not any(begin < hit.start() < end for begin, end in reasons),
            _LEADS.search(low[: hit.start()]) is not None,
            len(said),
            value,
        )
        for value, phrases in slot.choices.items()
        for said in map(plain, phrases)
        for hit in _said(said).finditer(low)
        if said.startswith(("not ", "no ")) or _RULES_OUT.search(low[: hit.start()]) is None
        if not (settled and _BESIDE_THE_POINT.search(low[: hit.start()]))
    ]
    return Found(max(hits)[-1]) if hits else None


_RULES_OUT = re.compile(r"\b(?:not|nor|instead of|rather than) (?:the |an? |our |that |this )?$")
"""What stands before a choice that is ruled out."""
_BESIDE_THE_POINT = re.compile(
    r"\b(?:no|without) (?:the |an? |our |that |this )?$|\b(?:same (?:\w+ )?as|next to|near|like) [^.,;!?\n]{0,30}$"
)
"""What stands before something that there is none of, or that something else is like: no wish for another choice."""
_LEADS = re.compile(r"\b(?:(?:to|into|as) (?:be )?|make (?:him|her|them|it|us|me|that|\w+) )(?:an? |the )?(?:\w+ )?$")


@lru_cache(maxsize=4096)
def _said(phrase: str) -> re.Pattern[str]:
    """The pattern of a choice's phrase; "{n}" in it stands for a number."""
    return re.compile(rf"(?<!\w){re.escape(phrase).replace(re.escape('{n}'), NUMBER)}(?!\w)")


_REASON = re.compile(
    r"\b(?:because|since|so that|in order to|instead of|in front of|next to|same (?:\w+ )?as|"
    r"for (?:our|my|the|his|her|their)|"
    r"to (?:take|keep|store|hold|serve|speed|relieve|offload|replace|put behind|put in front of))\b[^.,;!?\n]*"
)
"""What tells what something is for, why, or what it is like, not what it is."""


_SETTLED = re.compile(
    r"\b(?:all|every|each)\b(?: (?!that\b|which\b)[\w'-]+){1,4}? (?:is|are|was|were|has been|have been|got) (?:\w+ )?"
    r"(?:paid|settled|cleared|covered)\b|"
    r"\b(?:paid|settled|cleared|covered|pay|settle) (?:you )?(?:for )?(?:all|every|each)\b(?: of)?(?: [\w'-]+){1,2}"
)
"""What is paid already: nobody asks for that ("all bills are settled, please start us again")."""
_KEPT = re.compile(
    r"\b(?:everything else|everything|(?:all )?the (?:rest|others?)|all others?)\b[^.,;!?]{0,25}"
    r"\b(?:stays?|remains?|(?:be|is|are) kept|as (?:it|they) (?:is|are))\b|"
    r"\b(?:keep|leave) (?:everything else|everything as|(?:all )?the (?:rest|others?)|all others?)\b|"
    r"\b(?:leave|keep) (?:him|her|them|it|us|me) (?:as |an? |on |at |the )[\w ]{2,20}|"
    r"\b(?:moved|copied|saved|exported|backed up|migrated|rescued|taken) everything\b|"
    r"\b(?:everything|all) (?:that )?(?:i|we|he|she|they|you) (?:\w+ )?(?:need|needed|want|wanted|had|have)\b"
)
"""What shall stay as it is, or what somebody has: nothing is asked of that."""
_APOLOGY = re.compile(r"(?:^|[.,;!?\n-]\s*)(?:sorry,? |oh,? )?my (?:own )?(?:mistake|bad|error|fault)\b")
"""Who apologises names no reason ("the 15 have arrived, my mistake")."""
_NOT_THAT = re.compile(
    r"(?:^|(?<=[.!?;\n]))[^.!?;\n]*\bnot (?:that|this|those|these)(?: ones?)?\b"
    r"(?=\s*(?:[.,!?;]|$|please\b|pls\b))[^.!?;\n]*"
)
"""What a customer speaks of to say that it is not meant ("the overview we have, so not that one")."""
_TAKEN_AWAY = re.compile(
    r"\b(?:take|remove|strip|revoke|withdraw|drop|lose|pull)\b[^.,;!?]{0,20}?\b[\w-]+ (?:rights?|role|powers?|access|"
    r"permissions?)\b[^.,;!?]{0,20}?\b(?:away|from|off)\b"
)
"""What somebody had and shall lose ("take the administrator rights away from him")."""
_UNWANTED = re.compile(
    r"\b(?:do not|don't|dont|does not|doesn't|no longer|not|never|nor|won't|wouldn't|will not|would not) "
    r"(?:be )?(?:wants?|wish|wishes|needs?|like|have|wanting|needing|requiring)\b"
    r"(?: (?:him|her|them|me|us|it|any))?(?: to)?(?: (?:be|have|get|keep|stay))?(?: (?:an?|the|any|longer|more))*"
    r" [\w'-]+(?: (?:rights|role|access))?|"
    r"\b(?:need not|needn't|should not|shouldn't|must not|mustn't|(?:do not|don't|does not|doesn't) have to) "
    r"(?:be|stay|remain|have|keep)(?: (?:an?|the|any|longer|more))* [\w'-]+(?: (?:rights|role|access))?|"
    r"\b(?<!-)[\w-]{1,40}(?:'s| is| was| would be)? (?:far |much |way )?(?:too (?:little|much|low|high|small|big|weak|"
    r"dear|expensive)|not enough|wishful thinking|overkill|more than (?:we|i) need)\b"
)
"""What is not wanted: "I don't want to be the administrator"."""
