-- title: Families at a glance
-- about: For each architecture family, how many models and distinct architectures there are, between which sizes and contexts.
SELECT family, COUNT(*) AS models, COUNT(DISTINCT fingerprint) AS fingerprints, MIN(params_total) AS smallest,
  MAX(params_total) AS largest, MAX(max_context) AS longest_context, SUM(downloads) AS downloads
FROM models
WHERE family IS NOT NULL
GROUP BY family
ORDER BY models DESC, family
