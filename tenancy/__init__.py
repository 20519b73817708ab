"""Who may touch what: the only door to tables, secrets and credentials. Knows nothing of drift."""
