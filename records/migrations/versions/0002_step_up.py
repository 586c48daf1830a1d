"""one-time codes, the outbox, and approvals that change what was asked for"""

import sqlalchemy as sa
from alembic import op

from records.columns import Document, UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "step_up_codes",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("conversation_id", sa.String(), nullable=False),
        sa.Column("customer_id", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("sent_to", sa.String(), nullable=False),
        sa.Column("offers", Document, nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["conversation_id"], ["conversations.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("customer_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("sent_to", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("body", sa.String(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=True),
        sa.Column("sent_at", UtcDateTime(), nullable=True),
        sa.Column("next_at", UtcDateTime(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("error", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    for table, column in (
        ("step_up_codes", "conversation_id"),
        ("step_up_codes", "customer_id"),
        ("outbox", "customer_id"),
    ):
        op.create_index(f"ix_{table}_{column}", table, [column])
    op.add_column("conversations", sa.Column("stepped_up_until", UtcDateTime(), nullable=True))
    op.add_column("conversations", sa.Column("code_message_id", sa.String(), nullable=True))
    op.add_column("approvals", sa.Column("asked_arguments", Document, nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("approvals") as batch:
        batch.drop_column("asked_arguments")
    with op.batch_alter_table("conversations") as batch:
        batch.drop_column("code_message_id")
        batch.drop_column("stepped_up_until")
    op.drop_table("outbox")
    op.drop_table("step_up_codes")
