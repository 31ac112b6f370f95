-- title: Tied against untied heads
-- about: For each family, how many models share the embedding table with the head, and the sizes between which they do.
SELECT family, tied_embeddings, COUNT(*) AS models, MIN(params_total) AS smallest, MAX(params_total) AS largest
FROM models
WHERE tied_embeddings IS NOT NULL
GROUP BY family, tied_embeddings
ORDER BY models DESC, family, smallest
