"""Every number and fact that zoo shows: one row each.

The view columns, the report headings, ``--columns`` and the reference in ``docs/metrics.md`` all come from here:
to add a metric, add a row. ``path`` is where its value stands in the JSON of ``zoo analyze`` (dotted), or None for what
is not derived from a config.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Origin = Literal["derived", "config", "hub", "zoo"]
Kind = Literal["int", "float", "text", "bool", "time"]


class Metric(NamedTuple):
    """One row: ``key`` is the column name, ``origin`` who says it (zoo derives it, the config or the Hub states it)."""

    key: str
    label: str
    unit: str
    kind: Kind
    origin: Origin
    path: str | None
    meaning: str


def _m(key: str, label: str, unit: str, kind: Kind, origin: Origin, path: str | None, meaning: str) -> Metric:
    return Metric(key, label, unit, kind, origin, path, meaning)


#: In the order of the columns of the view ``models``.
METRICS: tuple[Metric, ...] = (
    _m("repo_id", "Model", "", "text", "hub", None, "Repository on the Hub, author/name."),
    _m("author", "Author", "", "text", "hub", None, "Account that owns the repository."),
    _m("name", "Name", "", "text", "hub", None, "Repository name without the author."),
    _m("family", "Family", "", "text", "derived", "family", "Architecture family that the model type belongs to."),
    _m("model_type", "Model type", "", "text", "config", "model_type", "`model_type` of config.json."),
    _m("architecture", "Architecture", "", "text", "config", "architecture",
       "Class that the weights are for: `architectures[0]`, or the natural head of the model type."),
    _m("fingerprint", "Fingerprint", "", "text", "derived", "fingerprint",
       "Hash of all that shapes the ledger; fine-tunes of one base share it."),
    _m("method", "Method", "", "text", "derived", "method",
       "How the numbers were obtained: `ledger` (exact), `estimate`, or `unsupported` (no number)."),
    _m("params_total", "Parameters", "params", "int", "derived", "params.total",
       "All unique parameters: tied tensors once, MTP layers and buffers left out."),
    _m("params_active", "Active parameters", "params", "int", "derived", "params.active",
       "Parameters one token passes through: top-k of the routed experts, everything else whole."),
    _m("params_active_non_embedding", "Active, non-embedding", "params", "int", "derived",
       "params.active_non_embedding", "Active parameters without the input embedding and learned positions."),
    _m("params_embedding", "Embedding parameters", "params", "int", "derived", "params.embedding",
       "Input token embedding."),
    _m("params_non_embedding", "Non-embedding parameters", "params", "int", "derived", "params.non_embedding",
       "Total without the input embedding, learned positions and an untied head."),
    _m("params_attention", "Attention parameters", "params", "int", "derived", "params.by_part.attention",
       "Projections, biases and QK norms' weights inside attention."),
    _m("params_mlp", "MLP parameters", "params", "int", "derived", "params.by_part.mlp",
       "Dense feed-forward blocks (experts are apart)."),
    _m("params_experts", "Expert parameters", "params", "int", "derived", "params.by_part.experts",
       "Routed experts, all of them."),
    _m("params_norm", "Norm parameters", "params", "int", "derived", "params.by_part.norm",
       "Normalisation weights and biases."),
    _m("params_biases", "Biases", "params", "int", "derived", "params.biases",
       "Parameters that are added, not multiplied."),
    _m("reported_params", "Reported parameters", "params", "int", "hub", None,
       "Elements of the stored safetensors, as the Hub counts them."),
    _m("params_check", "Check", "", "text", "derived", None,
       "Derived against reported: `exact`, `explained`, `mismatch` or `unchecked`."),
    _m("dtype", "Weights dtype", "", "text", "config", "weights.dtype",
       "Data type that the config declares for the weights."),
    _m("quantization", "Quantization", "", "text", "config", "weights.quantization",
       "Method by which the stored weights are quantised."),
    _m("weights_bytes", "Weights", "bytes", "int", "derived", "weights.bytes",
       "Bytes of the weights as stored: dtype and quantisation, scales included."),
    _m("kv_bytes_per_token", "KV cache per token", "bytes/token", "int", "derived", "kv_cache.bytes_per_token",
       "Growth of the cache for the first tokens, when every caching layer grows."),
    _m("kv_bytes_per_token_long", "KV per token, long", "bytes/token", "int", "derived",
       "kv_cache.bytes_per_token_long", "Growth of the cache once every window is full."),
    _m("kv_window_bytes", "KV windows", "bytes", "int", "derived", "kv_cache.window_bytes",
       "The most that all windowed layers together ever hold."),
    _m("state_bytes", "State", "bytes", "int", "derived", "kv_cache.state_bytes",
       "Constant recurrent and convolution state per sequence."),
    _m("kv_bytes_at_8k", "KV cache at 8k", "bytes", "int", "derived", "kv_cache.bytes_at.8192",
       "Cache and state of one sequence of 8,192 tokens."),
    _m("kv_bytes_at_32k", "KV cache at 32k", "bytes", "int", "derived", "kv_cache.bytes_at.32768",
       "Cache and state of one sequence of 32,768 tokens."),
    _m("kv_bytes_at_128k", "KV cache at 128k", "bytes", "int", "derived", "kv_cache.bytes_at.131072",
       "Cache and state of one sequence of 131,072 tokens."),
    _m("flops_per_token", "FLOPs per token", "FLOPs/token", "int", "derived", "flops.forward_per_token",
       "Forward pass of one token: 2 × active matmul parameters, attention over the context not included."),
    _m("layers", "Layers", "", "int", "config", "shape.layers", "Number of blocks in the (decoder) stack."),
    _m("hidden_size", "Hidden size", "", "int", "config", "shape.hidden_size", "Width of the residual stream."),
    _m("intermediate_size", "FFN size", "", "int", "config", "shape.intermediate_size",
       "Inner width of the feed-forward block."),
    _m("heads", "Heads", "", "int", "config", "attention.heads", "Query heads."),
    _m("kv_heads", "KV heads", "", "int", "config", "attention.kv_heads", "Key and value heads."),
    _m("head_dim", "Head dim", "", "int", "config", "attention.head_dim", "Width of one query or key head."),
    _m("vocab_size", "Vocabulary", "tokens", "int", "config", "shape.vocab_size", "Rows of the embedding table."),
    _m("max_context", "Context", "tokens", "int", "config", "shape.max_context",
       "Longest sequence that the config declares."),
    _m("attention_kind", "Attention", "", "text", "derived", "attention.kind",
       "mha, gqa, mqa, mla, linear, ssm, hybrid or none."),
    _m("sliding_window", "Window", "tokens", "int", "config", "attention.window",
       "Span of the windowed layers."),
    _m("experts", "Experts", "", "int", "config", "experts.routed", "Routed experts in a sparse layer."),
    _m("experts_per_token", "Experts per token", "", "int", "config", "experts.per_token",
       "Routed experts that one token passes through."),
    _m("shared_experts", "Shared experts", "", "int", "config", "experts.shared",
       "Experts that every token passes through."),
    _m("rope_theta", "RoPE θ", "", "float", "config", "shape.rope_theta", "Base of the rotary frequencies."),
    _m("activation", "Activation", "", "text", "config", "shape.activation", "Non-linearity of the feed-forward."),
    _m("norm", "Norm", "", "text", "derived", "shape.norm", "Kind of normalisation."),
    _m("tied_embeddings", "Tied", "", "bool", "derived", "params.tied",
       "Whether the head shares the embedding table."),
    _m("license", "License", "", "text", "hub", None, "License as tagged on the Hub."),
    _m("gated", "Gated", "", "text", "hub", None, "Access: empty, `auto` or `manual`."),
    _m("downloads", "Downloads", "", "int", "hub", None, "Downloads in the last 30 days, as the Hub counts them."),
    _m("likes", "Likes", "", "int", "hub", None, "Likes on the Hub."),
    _m("base_model", "Base model", "", "text", "hub", None, "Model that this one says it derives from."),
    _m("pipeline_tag", "Task", "", "text", "hub", None, "Task as tagged on the Hub."),
    _m("library", "Library", "", "text", "hub", None, "Library as tagged on the Hub."),
    _m("sha", "Commit", "", "text", "hub", None, "Commit that the config was read at."),
    _m("created_at", "Created", "", "time", "hub", None, "When the repository was created."),
    _m("last_modified", "Modified", "", "time", "hub", None, "When the repository last changed."),
    _m("synced_at", "Synced", "", "time", "zoo", None, "When zoo last saw the model."),
    _m("config", "Config", "", "text", "hub", None, "The raw config.json, as canonical JSON."),
)  # fmt: skip

BY_KEY = {metric.key: metric for metric in METRICS}
