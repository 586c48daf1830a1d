"""Knowledge sources: which documents the index holds, from where and since when."""

from datetime import datetime

from sqlmodel import Field

from records.columns import Row, moment


class KnowledgeSource(Row, table=True):
    """One ingested document."""

    __tablename__ = "knowledge_sources"

    document_id: str = Field(primary_key=True)
    title: str
    source: str
    audience: str
    content_hash: str
    ingested_at: datetime = moment()


class RolloutStage(Row, table=True):
    """How far an intent may act alone: off, shadow, assist, canary or autonomous."""

    __tablename__ = "rollout_stages"

    intent: str = Field(primary_key=True)
    stage: str
    canary_share: float = 0.1
    changed_by: str = ""
    changed_at: datetime = moment()
