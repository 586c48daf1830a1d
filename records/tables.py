"""All tables, so that the migrations see the whole schema."""

from records.audit import AuditChain, AuditEvent
from records.conversation import Conversation, ConversationEvent, Episode, Feedback, Message
from records.decision import DecisionRecord
from records.effect import EffectRecord
from records.handoff import Handoff, Suggestion
from records.knowledge import KnowledgeSource, RolloutStage
from records.learning import LabelledExample, ModelVersion
from records.offer import Approval, Offer
from records.step_up import OutboxMessage, StepUpCode
from records.turn import Turn, TurnStep

__all__ = [
    "Approval",
    "AuditChain",
    "AuditEvent",
    "Conversation",
    "ConversationEvent",
    "DecisionRecord",
    "EffectRecord",
    "Episode",
    "Feedback",
    "Handoff",
    "KnowledgeSource",
    "LabelledExample",
    "Message",
    "ModelVersion",
    "Offer",
    "OutboxMessage",
    "RolloutStage",
    "StepUpCode",
    "Suggestion",
    "Turn",
    "TurnStep",
]
