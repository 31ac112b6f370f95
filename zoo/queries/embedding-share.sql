-- title: How much of a model is its vocabulary
-- about: The share of the parameters that stands in the input embedding, highest first.
SELECT repo_id, vocab_size, hidden_size, params_embedding, params_total,
  ROUND(CAST(100.0 * params_embedding / params_total AS NUMERIC), 1) AS embedding_percent
FROM models
WHERE params_total > 0
ORDER BY 1.0 * params_embedding / params_total DESC, repo_id
LIMIT 25
