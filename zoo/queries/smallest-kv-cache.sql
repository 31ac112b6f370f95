-- title: Smallest KV cache per token
-- about: Models of over one billion parameters, by the bytes that each further token of context costs.
SELECT repo_id, attention_kind, layers, kv_heads, head_dim, params_total, kv_bytes_per_token, kv_bytes_per_token_long
FROM models
WHERE params_total > 1000000000 AND kv_bytes_per_token > 0
ORDER BY kv_bytes_per_token, params_total DESC, repo_id
LIMIT 25
