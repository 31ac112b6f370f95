"""Reports: rows of the database → frozen view objects → one set of templates → HTML and PDF."""
