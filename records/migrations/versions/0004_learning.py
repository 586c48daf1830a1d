"""labelled examples, model versions, what suggestions answered, and audit chains beside conversations"""

import sqlalchemy as sa
from alembic import op

from records.columns import Document, UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

INDEXES = (
    ("labelled_examples", "intent"),
    ("labelled_examples", "conversation_id"),
    ("labelled_examples", "state"),
    ("model_versions", "state"),
)


def upgrade() -> None:
    op.create_table(
        "labelled_examples",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("intent", sa.String(), nullable=True),
        sa.Column("queue", sa.String(), nullable=True),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("source_id", sa.String(), nullable=False),
        sa.Column("conversation_id", sa.String(), nullable=True),
        sa.Column("episode_id", sa.String(), nullable=True),
        sa.Column("hint", Document, nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("by", sa.String(), nullable=True),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("source", "source_id"),
        sa.UniqueConstraint("episode_id"),
    )
    op.create_table(
        "model_versions",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("examples", Document, nullable=False),
        sa.Column("matters", Document, nullable=False),
        sa.Column("report", Document, nullable=False),
        sa.Column("base_hash", sa.String(), nullable=False),
        sa.Column("model_hash", sa.String(), nullable=False),
        sa.Column("previous_id", sa.String(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("decided_at", UtcDateTime(), nullable=True),
        sa.Column("decided_by", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    chains = op.create_table(
        "audit_chains",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("audit_number", sa.Integer(), nullable=False),
        sa.Column("audit_hash", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.bulk_insert(chains, [{"id": "service", "audit_number": 0, "audit_hash": ""}])
    for table, column in INDEXES:
        op.create_index(f"ix_{table}_{column}", table, [column])
    op.add_column("suggestions", sa.Column("words", sa.String(), nullable=False, server_default=""))
    op.add_column("suggestions", sa.Column("episode_id", sa.String(), nullable=True))
    op.add_column("suggestions", sa.Column("probability", sa.Float(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("suggestions") as batch:
        batch.drop_column("probability")
        batch.drop_column("episode_id")
        batch.drop_column("words")
    for table, column in INDEXES:
        op.drop_index(f"ix_{table}_{column}", table)
    op.drop_table("audit_chains")
    op.drop_table("model_versions")
    op.drop_table("labelled_examples")
