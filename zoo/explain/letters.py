"""Letters of formulas, and which products of them the sides of a tensor may be: tables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

#: For each side, the formulas to try.
Sides = tuple[tuple[str, ...], ...]


class Symbol(NamedTuple):
    """A letter: where its value is (a dimension, or keys of the config, the first that is there) and what it means."""

    text: str
    source: str
    meaning: str


#: By dimension of the Config view.
DIMENSIONS = (
    Symbol("L", "layers", "layers"),
    Symbol("H", "hidden", "hidden size: width of the residual stream"),
    Symbol("n_q", "heads", "query heads"),
    Symbol("n_kv", "kv_heads", "key-value heads"),
    Symbol("d", "head_dim", "width of a query or key head"),
    Symbol("d_v", "v_head_dim", "width of a value head"),
    Symbol("F", "ffn", "inner width of the feed-forward block"),
    Symbol("V", "vocab", "vocabulary: rows of the embedding table"),
    Symbol("T", "context", "positions with a learned embedding"),
    Symbol("P", "positions", "rows of the table of positions"),
    Symbol("T_src", "sources", "positions of the source"),
    Symbol("S", "token_types", "segment types"),
    Symbol("W", "embedding_width", "width of the embedding table"),
    Symbol("E", "experts", "routed experts in a sparse layer"),
    Symbol("k", "experts_per_token", "routed experts that a token passes through"),
    Symbol("F_e", "expert_ffn", "inner width of one routed expert"),
    Symbol("F_s", "shared_ffn", "inner width of the shared experts together"),
    Symbol("F_d", "dense_ffn", "inner width of the feed-forward block in layers without experts"),
    Symbol("F_enc", "encoder_ffn", "inner width of the feed-forward block in the encoder"),
    Symbol("C", "labels", "classes of the classifier"),
    Symbol("D", "ssm_inner", "inner width of a state-space layer"),
    Symbol("N", "ssm_state", "numbers that a state-space layer keeps for each channel"),
    Symbol("K", "ssm_conv", "width of the causal convolution"),
    Symbol("R", "ssm_rank", "rank that the time step is computed from"),
    Symbol("n_h", "ssm_heads", "heads of a state-space layer"),
    Symbol("G", "ssm_groups", "groups of heads that share their input and output matrices"),
    Symbol("w_k", "key_width", "width of all keys of linear attention together"),
    Symbol("w_v", "value_width", "width of all values of linear attention together"),
    Symbol("n_l", "linear_heads", "heads of linear attention"),
    Symbol("d_l", "linear_head_dim", "width of a head of linear attention"),
    Symbol("c_in", "channels", "channels of the input"),
    Symbol("N_p", "patches", "patches of an image"),
    Symbol("H_txt", "text_hidden", "hidden size of the language model"),
    Symbol("d_ple", "per_layer", "width of the embedding that every layer has of its own"),
)
#: By what the ledger has: which layers are of a kind.
COUNTS = {
    "L_e": "layers with experts",
    "L_d": "layers with a dense feed-forward block",
    "L_a": "layers with attention",
    "L_r": "recurrent layers",
    "L_g": "layers with full attention",
    "L_s": "layers with a sliding window",
    "L_c": "layers with chunked attention",
    "L_x": "layers with cross-attention",
    "L_enc": "layers of the encoder",
}
#: By key of the config; keys that mean the same stand behind one another.
KEYS = (
    Symbol("r_q", "q_lora_rank", "rank of the query latent"),
    Symbol("r_kv", "kv_lora_rank", "rank of the key-value latent"),
    Symbol("d_nope", "qk_nope_head_dim", "width of a key head without rotary position"),
    Symbol("d_rope", "qk_rope_head_dim", "width of the rotary key that all heads share"),
    Symbol("r_o", "o_lora_rank", "rank of the latent before the output"),
    Symbol("n_o", "o_groups", "groups of heads that are projected apart"),
    Symbol("n_i", "index_n_heads", "heads of the indexer"),
    Symbol("d_i", "index_head_dim", "width of a head of the indexer"),
    Symbol("d_g", "global_head_dim", "width of a head in layers with full attention"),
    Symbol("n_gkv", "num_global_key_value_heads", "key-value heads in layers with full attention"),
    Symbol("n_skv", "swa_num_key_value_heads", "key-value heads in layers with a window"),
    Symbol("V_ple", "vocab_size_per_layer_input", "rows of the embedding that every layer has of its own"),
    Symbol("S", "type_vocab_size", "segment types"),
    Symbol("K", "linear_conv_kernel_dim conv_L_cache", "width of the causal convolution"),
    Symbol("n_lk", "linear_num_key_heads", "query and key heads of linear attention"),
    Symbol("n_lv", "linear_num_value_heads", "value heads of linear attention"),
    Symbol("d_lk", "linear_key_head_dim", "width of a key head of linear attention"),
    Symbol("d_lv", "linear_value_head_dim", "width of a value head of linear attention"),
    Symbol("B", "relative_attention_num_buckets", "buckets of relative distance"),
    Symbol("p", "patch_size spatial_patch_size", "side of a patch, in pixels"),
    Symbol("t_p", "temporal_patch_size", "frames of a video in a patch"),
    Symbol("c_in", "num_channels in_channels in_chans", "channels of the input"),
    Symbol("m", "spatial_merge_size", "patches in each direction that are merged into one token"),
    Symbol("H_out", "out_hidden_size", "width that the tower puts out"),
    Symbol("D_p", "projection_dim", "width of the space that is projected into"),
    Symbol("n_mel", "num_mel_bins", "frequency bands of the spectrogram"),
)
#: Marks behind the letters of sections, by a piece of the section's key; of others, its first three letters.
MARKS = {"vis": "vis", "audio": "aud", "encoder": "ec", "decoder": "dc"}
#: Where sections keep their sizes whose type has no architecture of its own.
SECTION_KEYS = {
    "L": ("depth", "num_hidden_layers"),
    "H": ("embed_dim", "hidden_size"),
    "n_q": ("num_heads", "num_attention_heads"),
    "F": ("intermediate_size",),
}
#: Dimensions that count things, which are the side of no matrix.
NO_SIDES = frozenset(
    ("layers", "encoder_layers", "decoder_layers", "cross_layers", "shared_experts", "window", "tied", "activation",
     "pooled", "deepstack", "kept", "k_eq_v", "global_kv", "conv_bias", "crossing", "both", "doubled", "targets")
)  # fmt: skip

_HEADS = ("n_q*d", "n_kv*d", "n_q*d_v", "n_kv*d_v", "(n_q+2*n_kv)*d", "2*n_q*d", "2*n_kv*d", "n_kv*(d+d_v)")
_LATENTS = (
    "n_q*(d_nope+d_v)", "n_q*(d_nope+d)", "r_kv+d_rope", "r_q", "r_kv", "n_q*d_g", "n_gkv*d_g", "n_kv*d_g", "n_gkv*d",
    "n_skv*d", "n_skv*d_v", "n_i*d_i", "n_o*r_o", "d_i", "d_g", "n_i", "n_q*d_nope", "n_q*d_rope", "d_rope",
)  # fmt: skip
_SEEN = (
    "H", "n_q*d", "n_kv*d", "(n_q+2*n_kv)*d", "3*H", "F", "2*F", "c_in", "p", "t_p", "N_p", "N_p+1", "P", "n_mel",
    "T_src", "T", "m*m*H", "4*m*m*H", "c_in*p*p", "c_in*t_p*p*p", "H_out", "D_p", "H_txt", "2*H", "4*H", "n_q", "d",
)  # fmt: skip
#: What the sides of a tensor may be, likeliest first, by part of the model.
AXES: Mapping[str, tuple[str, ...]] = {
    "embedding": ("V", "H", "W", "S", "P", "T", "V_ple", "L*d_ple"),
    "position": ("P", "T", "T_src", "T+2", "T+1", "B", "H", "W", "n_q"),
    "attention": (*_HEADS, "H", *_LATENTS, "n_q", "n_kv", "d", "B", "3*H"),
    "mlp": ("F", "2*F", "H", "F_d", "2*F_d", "F_enc"),
    "experts": ("E", "F_e", "2*F_e", "H"),
    "shared_experts": ("F_s", "2*F_s", "F_e", "H"),
    "router": ("E", "H"),
    "norm": (
        "H", "d", "n_q*d", "n_kv*d", "d_v", "r_q", "r_kv", "n_q", "n_kv", "F", "D", "d_lv", "N", "R", "d_g", "d_i", "W",
        "w_v", "w_k", "n_l*d_l", "d_l", "d_ple", "d_rope",
    ),
    "recurrent": (
        "H", "D", "2*D", "D+2*G*N", "2*D+2*G*N+n_h", "R+2*N", "N", "K", "R", "n_h",
        "n_lk*d_lk", "n_lv*d_lv", "2*n_lk*d_lk+n_lv*d_lv", "2*n_lk*d_lk+2*n_lv*d_lv", "2*n_lv", "n_lv", "d_lv",
        "n_l*d_l", "d_l", "n_l", "w_k", "w_v", "3*H", "2*H",
    ),
    "head": ("V", "C", "H", "W"),
    "vision": _SEEN,
    "audio": _SEEN,
    "projector": ("H", "m*m*H", *_SEEN[2:]),
}  # fmt: skip
#: Of parts that have no list of their own.
ANY = ("H", "n_q*d", "F", "3*H", "2*F", "2*H", "4*H", "L*d_ple", "d_ple", "T", "n_q", "d", "D_p", "W")
#: Sides by the name of the module, [outputs, inputs]; tried the other way round too.
NAMED: tuple[tuple[str, Sides], ...] = (
    (r"q(_proj|_lin)?|query|wq|to_q", (("n_q*d", "2*n_q*d"), ("H", "r_q"))),
    (r"k(_proj|_lin)?|key|wk|to_k", (("n_kv*d",), ("H",))),
    (r"v(_proj|_lin)?|value|wv|to_v", (("n_kv*d_v", "n_kv*d"), ("H",))),
    (r"o(_proj)?|out_proj|out_lin|dense|c_proj|wo|to_out", (("H",), ("n_q*d_v", "n_q*d"))),
    (r"w?qkv(_proj)?|c_attn|query_key_value|Wqkv|W_pack|in_proj", (("(n_q+2*n_kv)*d", "3*H"), ("H",))),
    (r"q_a_proj", (("r_q",), ("H",))),
    (r"q_b_proj", (("n_q*d",), ("r_q",))),
    (r"kv_a_proj_with_mqa", (("r_kv+d_rope",), ("H",))),
    (r"kv_b_proj", (("n_q*(d_nope+d_v)", "n_q*(d_nope+d)"), ("r_kv",))),
    (r"q_norm|q_layernorm", (("d", "n_q*d"),)),
    (r"k_norm|k_layernorm", (("d", "n_kv*d"),)),
    (r"gate_up_proj", (("E",), ("2*F_e",), ("H",))),
    (r"down_proj", (("E",), ("H",), ("F_e",))),
)
#: The same in recurrent layers: heads where there are some, else channels.
NAMED_RECURRENT: tuple[tuple[str, Sides], ...] = (
    (r"dt|A_log|D|dt_proj", (("n_h", "n_lv", "D"), ("N", "R"))),
    (r"in_proj_z|out_proj|o_proj", (("n_lv*d_lv", "D", "w_v", "n_l*d_l"), ("H",))),
)


def compile_names(named: Iterable[tuple[str, Sides]]) -> tuple[tuple[re.Pattern[str], Sides], ...]:
    return tuple((re.compile(f"(?:{pattern})\\Z"), sides) for pattern, sides in named)


#: Which of these to go by, by part of the model.
PATTERNS: Mapping[str, tuple[tuple[re.Pattern[str], Sides], ...]] = {
    **dict.fromkeys(("attention", "norm", "experts", "vision", "audio"), compile_names(NAMED)),
    "recurrent": compile_names(NAMED_RECURRENT),
}
LIKE_A_SIZE = re.compile(r"(_size|_dim|_rank|_width|_heads|_groups|_bins|_kernel|_state|_rows)$|^(num_|n_|d_)")
#: Sizes that are the side of no matrix of their own.
NO_SIZE = re.compile("vocab|token|max_|position|layer|interval|image_size|chunk|window")
#: Below it, too many numbers are the same by chance.
LEAST = 8
