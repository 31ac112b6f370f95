"""Rows as the database gives them, made without one: well-known models, and what a hostile Hub could say."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from zoo.db.rows import ModelRow
from zoo.metrics.analysis import analyze
from zoo.report.models import ReportModel, read_models
from zoo.report.scope import choose_contexts
from zoo.report.tables import Table
from zoo.report.view import Options, ReportView, build_view

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
EPOCH = "1772366400"

LLAMA = {
    "model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 4096, "intermediate_size": 14336,
    "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8, "vocab_size": 128256,
    "max_position_embeddings": 131072, "rope_theta": 500000.0, "torch_dtype": "bfloat16",
}  # fmt: skip
MISTRAL = {
    "model_type": "mistral", "architectures": ["MistralForCausalLM"], "hidden_size": 4096, "intermediate_size": 14336,
    "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8, "vocab_size": 32000,
    "max_position_embeddings": 32768, "rope_theta": 10000.0, "sliding_window": 4096, "torch_dtype": "bfloat16",
}  # fmt: skip
MIXTRAL = {
    "model_type": "mixtral", "architectures": ["MixtralForCausalLM"], "hidden_size": 4096, "intermediate_size": 14336,
    "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8, "num_local_experts": 8,
    "num_experts_per_tok": 2, "vocab_size": 32000, "max_position_embeddings": 32768, "rope_theta": 1000000.0,
    "sliding_window": None, "torch_dtype": "bfloat16",
}  # fmt: skip
GPT2 = {"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"]}
GEMMA = {
    "model_type": "gemma3_text", "architectures": ["Gemma3ForCausalLM"], "hidden_size": 1152, "intermediate_size": 6912,
    "num_hidden_layers": 26, "num_attention_heads": 4, "num_key_value_heads": 1, "head_dim": 256, "vocab_size": 262144,
    "max_position_embeddings": 32768, "sliding_window": 512, "sliding_window_pattern": 6, "torch_dtype": "bfloat16",
}  # fmt: skip
BERT = {"model_type": "bert", "architectures": ["BertModel"], "torch_dtype": "float16"}
UNKNOWN = {"model_type": "no-such-type", "architectures": ["NoSuchModel"]}

CONFIGS: dict[str, dict[str, Any]] = {
    "meta-llama/Llama-3.1-8B": LLAMA,
    "mistralai/Mistral-7B-v0.1": MISTRAL,
    "mistralai/Mixtral-8x7B-v0.1": MIXTRAL,
    "openai-community/gpt2": GPT2,
    "google/gemma-3-1b-it": GEMMA,
    "google-bert/bert": BERT,
}


def make_row(repo_id: str, config: dict[str, Any] | None = None, /, **changes: Any) -> ModelRow:
    """One row; ``changes`` go into its columns, or into its own fields where it has one of that name."""
    chosen = CONFIGS.get(repo_id, {}) if config is None else config
    analysis = analyze(chosen, repo_id=repo_id).as_dict() if chosen else None
    total = analysis["params"]["total"] if analysis else None
    own = {key: changes.pop(key) for key in list(changes) if key in ModelRow.__dataclass_fields__}
    shape, attention = (analysis["shape"], analysis["attention"]) if analysis else ({}, {})
    row = {
        "repo_id": repo_id, "sha": "0123456789abcdef" * 2 + "01234567", "synced_at": "2026-03-01T11:00:00+00:00",
        "license": "apache-2.0", "gated": None, "downloads": 1000, "base_model": None,
        "pipeline_tag": "text-generation", "created_at": "2025-01-02T03:04:05+00:00",
        "max_context": shape.get("max_context"), "sliding_window": attention.get("window"),
    }  # fmt: skip
    fields: dict[str, Any] = {
        "repo_id": repo_id,
        "row": row | changes,
        "analysis": analysis,
        "config": chosen,
        "reported": {"total": total, "by_dtype": {}, "check": "exact" if total else "unchecked", "explanation": None},
        "source": "hub",
        "config_source": "hub" if chosen else None,
        "origin": "huggingface.co",
    }
    return ModelRow(**(fields | own))


def make_rows(count: int = 6) -> list[ModelRow]:
    """The first ``count`` of the well-known models; beyond six, Llamas of other depths."""
    rows = [make_row(repo_id) for repo_id in list(CONFIGS)[:count]]
    for index in range(count - len(rows)):
        name = f"an-organisation-of-long-name/Llama-variation-{index:02}-Instruct-GPTQ"
        rows.append(make_row(name, LLAMA | {"num_hidden_layers": 8 + 4 * index}))
    return rows


def make_models(rows: list[ModelRow], context: int = 1 << 15) -> tuple[ReportModel, ...]:
    return read_models(rows, choose_contexts(rows, context))


def make_view(rows: list[ModelRow], **options: Any) -> ReportView:
    moment = options.pop("now", NOW)
    return build_view(rows, Options(**options), now=moment, version="0.1.0")


def list_tables(view: ReportView, section: str) -> dict[str, Table]:
    """The tables of a section by their ids, those of its charts too."""
    from zoo.report.data import list_tables

    return {table.id: table for home, table in list_tables(view.sections) if home.id == section}


def find(view: ReportView, section: str, label: str, model: int = 0) -> str:
    """The text at the row of that label, in a table of the section with models side by side."""
    for table in list_tables(view, section).values():
        for line in table.lines:
            if line.head.label == label:
                return line.cells[model].text
    raise LookupError(label)


def list_blocks(view: ReportView, section: str, kind: str) -> list[Any]:
    """The blocks of one kind in a section."""
    return [b for s in view.sections if s.id == section for b in s.blocks if b.kind == kind]
