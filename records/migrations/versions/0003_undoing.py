"""effects that are taken back, and what moved on a day"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("effects", sa.Column("undo_key", sa.String(), nullable=True))
    op.add_column("effects", sa.Column("undone_by", sa.String(), nullable=True))
    op.create_index("ix_effects_intended_at", "effects", ["intended_at"])


def downgrade() -> None:
    op.drop_index("ix_effects_intended_at", "effects")
    with op.batch_alter_table("effects") as batch:
        batch.drop_column("undone_by")
        batch.drop_column("undo_key")
