"""Events, moods and what is known of videos."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_id = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "events",
        sa.Column("id", _id, primary_key=True, autoincrement=True),
        sa.Column("uid", sa.String(80), nullable=False, unique=True),
        sa.Column("listener", sa.String(64), nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("song_id", sa.String(64), nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("artist", sa.Text, nullable=False),
        sa.Column("video_id", sa.String(11)),
        sa.Column("position_s", sa.Integer, nullable=False),
        sa.Column("duration_s", sa.Integer, nullable=False),
        sa.Column("mood", sa.String(40)),
        sa.Column("valence", sa.Double, nullable=False),
        sa.Column("arousal", sa.Double, nullable=False),
        sa.Column("mode", sa.String(10), nullable=False),
    )
    op.create_index("events_of_a_listener", "events", ["listener", "at"])
    op.create_table(
        "moods",
        sa.Column("id", _id, primary_key=True, autoincrement=True),
        sa.Column("uid", sa.String(80), nullable=False, unique=True),
        sa.Column("listener", sa.String(64), nullable=False),
        sa.Column("began", sa.Double, nullable=False),
        sa.Column("ended", sa.Double, nullable=False),
        sa.Column("label", sa.String(40), nullable=False),
        sa.Column("valence", sa.Double, nullable=False),
        sa.Column("arousal", sa.Double, nullable=False),
    )
    op.create_index("moods_of_a_listener", "moods", ["listener", "began"])
    op.create_table(
        "videos",
        sa.Column("video_id", sa.String(11), primary_key=True),
        sa.Column("song_id", sa.String(64), nullable=False),
        sa.Column("plays", sa.Integer, nullable=False),
        sa.Column("found_by", sa.String(20), nullable=False),
        sa.Column("at", sa.Double, nullable=False),
    )
    op.create_index("videos_of_a_song", "videos", ["song_id"])


def downgrade() -> None:
    for table in ("videos", "moods", "events"):
        op.drop_table(table)
