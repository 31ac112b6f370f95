"""First tables: models, configs, analyses, revisions and what stood in the way.

Revises: nothing: the first
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision: str | None = None
branch_labels = None
depends_on = None


def upgrade() -> None:

    op.create_table(
        "analysis",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("family", sa.Text(), nullable=True),
        sa.Column("model_type", sa.Text(), nullable=True),
        sa.Column("architecture", sa.Text(), nullable=True),
        sa.Column("fingerprint", sa.Text(), nullable=True),
        sa.Column("method", sa.Text(), nullable=True),
        sa.Column("params_total", sa.BigInteger(), nullable=True),
        sa.Column("params_active", sa.BigInteger(), nullable=True),
        sa.Column("params_active_non_embedding", sa.BigInteger(), nullable=True),
        sa.Column("params_embedding", sa.BigInteger(), nullable=True),
        sa.Column("params_non_embedding", sa.BigInteger(), nullable=True),
        sa.Column("params_attention", sa.BigInteger(), nullable=True),
        sa.Column("params_mlp", sa.BigInteger(), nullable=True),
        sa.Column("params_experts", sa.BigInteger(), nullable=True),
        sa.Column("params_norm", sa.BigInteger(), nullable=True),
        sa.Column("params_biases", sa.BigInteger(), nullable=True),
        sa.Column("dtype", sa.Text(), nullable=True),
        sa.Column("quantization", sa.Text(), nullable=True),
        sa.Column("weights_bytes", sa.BigInteger(), nullable=True),
        sa.Column("kv_bytes_per_token", sa.BigInteger(), nullable=True),
        sa.Column("kv_bytes_per_token_long", sa.BigInteger(), nullable=True),
        sa.Column("kv_window_bytes", sa.BigInteger(), nullable=True),
        sa.Column("state_bytes", sa.BigInteger(), nullable=True),
        sa.Column("kv_bytes_at_8k", sa.BigInteger(), nullable=True),
        sa.Column("kv_bytes_at_32k", sa.BigInteger(), nullable=True),
        sa.Column("kv_bytes_at_128k", sa.BigInteger(), nullable=True),
        sa.Column("flops_per_token", sa.BigInteger(), nullable=True),
        sa.Column("layers", sa.BigInteger(), nullable=True),
        sa.Column("hidden_size", sa.BigInteger(), nullable=True),
        sa.Column("intermediate_size", sa.BigInteger(), nullable=True),
        sa.Column("heads", sa.BigInteger(), nullable=True),
        sa.Column("kv_heads", sa.BigInteger(), nullable=True),
        sa.Column("head_dim", sa.BigInteger(), nullable=True),
        sa.Column("vocab_size", sa.BigInteger(), nullable=True),
        sa.Column("max_context", sa.BigInteger(), nullable=True),
        sa.Column("attention_kind", sa.Text(), nullable=True),
        sa.Column("sliding_window", sa.BigInteger(), nullable=True),
        sa.Column("experts", sa.BigInteger(), nullable=True),
        sa.Column("experts_per_token", sa.BigInteger(), nullable=True),
        sa.Column("shared_experts", sa.BigInteger(), nullable=True),
        sa.Column("rope_theta", sa.Double(), nullable=True),
        sa.Column("activation", sa.Text(), nullable=True),
        sa.Column("norm", sa.Text(), nullable=True),
        sa.Column("tied_embeddings", sa.Boolean(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_analysis")),
        sa.UniqueConstraint("digest", name=op.f("uq_analysis_digest")),
    )
    with op.batch_alter_table("analysis", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_analysis_family_params_total"), ["family", "params_total"], unique=False)
        batch_op.create_index(batch_op.f("ix_analysis_fingerprint"), ["fingerprint"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_analysis_model_type_params_total"), ["model_type", "params_total"], unique=False
        )

    op.create_table(
        "setting",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_setting")),
    )
    op.create_table(
        "sync_error",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("repo_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("first_seen", sa.Text(), nullable=False),
        sa.Column("seen_at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sync_error")),
        sa.UniqueConstraint("repo_id", "kind", "message", name=op.f("uq_sync_error_repo_id_kind_message")),
    )
    op.create_table(
        "analysis_body",
        sa.Column(
            "analysis_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["analysis_id"], ["analysis.id"], name=op.f("fk_analysis_body_analysis_id_analysis"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("analysis_id", name=op.f("pk_analysis_body")),
    )
    op.create_table(
        "config",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("analysis_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("analyzed_by", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["analysis_id"], ["analysis.id"], name=op.f("fk_config_analysis_id_analysis")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_config")),
        sa.UniqueConstraint("sha256", name=op.f("uq_config_sha256")),
    )
    with op.batch_alter_table("config", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_config_analysis_id"), ["analysis_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_config_analyzed_by"), ["analyzed_by"], unique=False)

    op.create_table(
        "part",
        sa.Column("analysis_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("part", sa.Text(), nullable=False),
        sa.Column("params", sa.BigInteger(), nullable=False),
        sa.Column("active", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["analysis_id"], ["analysis.id"], name=op.f("fk_part_analysis_id_analysis"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("analysis_id", "part", name=op.f("pk_part")),
    )
    op.create_table(
        "config_body",
        sa.Column(
            "config_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["config_id"], ["config.id"], name=op.f("fk_config_body_config_id_config"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("config_id", name=op.f("pk_config_body")),
    )
    op.create_table(
        "model",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("repo_id", sa.Text(), nullable=False),
        sa.Column("repo_key", sa.Text(), nullable=False),
        sa.Column("hub_id", sa.Text(), nullable=True),
        sa.Column("author", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=True),
        sa.Column("config_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("config_source", sa.Text(), nullable=True),
        sa.Column("sha", sa.Text(), nullable=True),
        sa.Column("params_check", sa.Text(), nullable=False),
        sa.Column("check_explanation", sa.Text(), nullable=True),
        sa.Column("reported_params", sa.BigInteger(), nullable=True),
        sa.Column("reported_by_dtype", sa.Text(), nullable=True),
        sa.Column("license", sa.Text(), nullable=True),
        sa.Column("gated", sa.Text(), nullable=True),
        sa.Column("private", sa.Boolean(), nullable=True),
        sa.Column("disabled", sa.Boolean(), nullable=True),
        sa.Column("downloads", sa.BigInteger(), nullable=True),
        sa.Column("likes", sa.BigInteger(), nullable=True),
        sa.Column("base_model", sa.Text(), nullable=True),
        sa.Column("pipeline_tag", sa.Text(), nullable=True),
        sa.Column("library", sa.Text(), nullable=True),
        sa.Column("tags", sa.Text(), nullable=True),
        sa.Column("created_at", sa.Text(), nullable=True),
        sa.Column("last_modified", sa.Text(), nullable=True),
        sa.Column("first_seen", sa.Text(), nullable=False),
        sa.Column("synced_at", sa.Text(), nullable=False),
        sa.Column("gone_at", sa.Text(), nullable=True),
        sa.Column("problem_kind", sa.Text(), nullable=True),
        sa.Column("problem_message", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["config_id"], ["config.id"], name=op.f("fk_model_config_id_config")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model")),
        sa.UniqueConstraint("repo_id", name=op.f("uq_model_repo_id")),
        sa.UniqueConstraint("repo_key", name=op.f("uq_model_repo_key")),
    )
    with op.batch_alter_table("model", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_model_config_id"), ["config_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_model_downloads"), ["downloads"], unique=False)
        batch_op.create_index(batch_op.f("ix_model_hub_id"), ["hub_id"], unique=False)

    op.create_table(
        "revision",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("model_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("sha", sa.Text(), nullable=False),
        sa.Column("config_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("seen_at", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["config_id"], ["config.id"], name=op.f("fk_revision_config_id_config")),
        sa.ForeignKeyConstraint(
            ["model_id"], ["model.id"], name=op.f("fk_revision_model_id_model"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_revision")),
        sa.UniqueConstraint("model_id", "sha", "config_id", name=op.f("uq_revision_model_id_sha_config_id")),
    )
    with op.batch_alter_table("revision", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_revision_config_id"), ["config_id"], unique=False)
