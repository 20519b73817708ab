"""Backups of a tenant, what a restore does with one, and the export of everything that is the tenant's."""
