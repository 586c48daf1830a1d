"""effects that are taken back, and what moved on a day"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

COLUMNS = ("intended_at", "state", "undo_key")


def upgrade() -> None:
    op.add_column("effects", sa.Column("undo_key", sa.String(), nullable=True))
    op.add_column("effects", sa.Column("undone_by", sa.String(), nullable=True))
    for column in COLUMNS:  # the sweep looks for what is open every few seconds
        op.create_index(f"ix_effects_{column}", "effects", [column])


def downgrade() -> None:
    for column in COLUMNS:
        op.drop_index(f"ix_effects_{column}", "effects")
    with op.batch_alter_table("effects") as batch:
        batch.drop_column("undone_by")
        batch.drop_column("undo_key")
