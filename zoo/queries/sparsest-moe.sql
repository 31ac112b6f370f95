-- title: Mixtures of experts by sparsity
-- about: Total against active parameters: the fewer one token passes through, the higher up.
SELECT repo_id, params_total, params_active, ROUND(CAST(100.0 * params_active / params_total AS NUMERIC), 1) AS active_percent,
  experts, experts_per_token, shared_experts
FROM models
WHERE experts > 0 AND params_total > 0 AND params_active > 0
ORDER BY 1.0 * params_active / params_total, params_total DESC, repo_id
LIMIT 25
