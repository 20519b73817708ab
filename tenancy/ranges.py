"""Ranges of row keys within one partition, as filters of Table Storage: which indexes nothing else."""

from __future__ import annotations


def range_filter(tenant_id: str, prefix: str, after: str) -> tuple[str, dict[str, str]]:
    """Keys of the partition that start with `prefix` and lie behind `after`, as a query and its parameters; '' narrows
    nothing.

    Words must be separated by single spaces and parameters stand alone: the SDK replaces word by word.
    """
    query, parameters = "PartitionKey eq @tenant", {"tenant": tenant_id}
    if after and after >= prefix:
        query, parameters["low"] = query + " and RowKey gt @low", after
    elif prefix:
        query, parameters["low"] = query + " and RowKey ge @low", prefix
    if prefix:
        query, parameters["high"] = (
            query + " and RowKey lt @high",
            prefix[:-1] + chr(ord(prefix[-1]) + 1),
        )
    return query, parameters
