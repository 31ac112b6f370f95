-- title: Derived and reported differ
-- about: Models whose parameter count from the config is not what the Hub counts in the stored weights, and nothing explains it.
SELECT repo_id, model_type, architecture, params_total, reported_params, reported_params - params_total AS difference,
  quantization
FROM models
WHERE params_check = 'mismatch'
ORDER BY ABS(1.0 * (reported_params - params_total) / params_total) DESC, repo_id
