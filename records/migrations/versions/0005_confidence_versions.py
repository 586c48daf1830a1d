"""versions of more than triage: what they compute is kept with them"""

import sqlalchemy as sa
from alembic import op

from records.columns import Document

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("model_versions", sa.Column("content", Document, nullable=False, server_default=sa.text("'{}'")))


def downgrade() -> None:
    with op.batch_alter_table("model_versions") as batch:
        batch.drop_column("content")
