"""The query language, over rows in memory."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from dev.azure.kql.execution import ValuesRow, execute
from dev.azure.kql.parser import parse
from dev.azure.kql.syntax import QueryError

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
COLUMNS = {
    "id": "string",
    "type": "string",
    "location": "string",
    "tags": "object",
    "properties": "object",
}


def row(name: str, **members: Any) -> ValuesRow:
    values = {"id": f"/x/{name}", "type": "t/a", "location": "", "tags": None, "properties": None}
    return ValuesRow({**values, **members})


ROWS = [
    row(
        "b",
        type="Microsoft.Web/sites",
        location="westeurope",
        tags={"env": "prod", "a.b": "dotted"},
    ),
    row("a", type="microsoft.sql/servers", properties={"state": "Ready", "size": 4, "on": True}),
    row(
        "c",
        type="microsoft.sql/servers",
        properties={"state": "ready", "size": 10, "items": [{"n": 1}]},
    ),
    row("d", properties={"when": "2026-03-01T10:00:00.1234567Z", "text": "one two-three"}),
]


def run(query: str) -> list[dict[str, Any]]:
    parsed = parse(query)
    result = execute(ROWS, COLUMNS, parsed.operators, NOW)
    return [one.members(list(result.columns)) for one in result.rows]


def names(condition: str) -> list[str]:
    return [one["id"][3:] for one in run(f"resources | where {condition} | project id")]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("type == 'microsoft.sql/servers'", "ac"),
        ("type == 'microsoft.web/sites'", ""),
        ("type =~ 'microsoft.web/sites'", "b"),
        ("type !~ 'microsoft.web/sites'", "acd"),
        ("type != 'microsoft.sql/servers'", "bd"),
        ("type in ('t/a', 'microsoft.sql/servers')", "acd"),
        ("type !in ('t/a', 'microsoft.sql/servers')", "b"),
        ("type in~ ('MICROSOFT.WEB/SITES')", "b"),
        ("type !in~ ('MICROSOFT.WEB/SITES')", "acd"),
        ("type contains 'SQL'", "ac"),
        ("type !contains 'SQL'", "bd"),
        ("type startswith 'MICROSOFT'", "bac"),
        ("type endswith '/SITES'", "b"),
        ("type !startswith 'microsoft'", "d"),
        ("properties.text has 'two'", "d"),
        ("properties.text has 'tw'", ""),
        ("properties.text !has 'two'", "bac"),
        ("properties.text has_any ('zero', 'THREE')", "d"),
        ("isnotempty(location) and type has 'web'", "b"),
        ("isempty(location) and not(type has 'sql')", "d"),
        ("location == 'westeurope' or id endswith 'd'", "bd"),
        ("(location == 'x' or id endswith 'd') and isnotnull(properties)", "d"),
        ("tags.env == 'prod'", "b"),
        ("tags['a.b'] == 'dotted'", "b"),
        ("tags.env != 'test'", "bacd"),
        ("properties.state =~ 'READY'", "ac"),
        ("tolower(tostring(properties.state)) == 'ready'", "ac"),
        ("properties.on == true", "a"),
        ("properties.on == 'true'", "a"),
        ("properties.on == 1", ""),
        ("properties.size > 4", "c"),
        ("properties.size >= 4 and properties.size < 10", "a"),
        ("toint(properties.size) % 3 == 1", "ac"),
        ("properties.items[0].n == 1", "c"),
        ("properties.items[5].n == 1", ""),
        ("todatetime(properties.when) > ago(3h)", "d"),
        ("todatetime(properties.when) > ago(1h)", ""),
        ("todatetime(properties.when) > datetime(2026-03-01T09:59:59Z)", "d"),
        ("todatetime(properties.when) between", None),
        ("strcat(type, '!') == 't/a!'", "d"),
        ('type == "t/a" // with a comment', "d"),
        (r"'it\'s' == @'it''s'", "bacd"),
    ],
)
def test_a_condition_selects_rows(condition: str, expected: str | None):
    if expected is None:
        with pytest.raises(QueryError):
            names(condition)
    else:
        assert "".join(names(condition)) == expected


def test_hash_partitions_hold_every_row_once():
    parts = [names(f"hash(tolower(id)) % 3 == {part}") for part in range(3)]
    assert sorted(name for part in parts for name in part) == ["a", "b", "c", "d"]
    assert parts == [names(f"hash(tolower(id), 3) == {part}") for part in range(3)]


def test_order_is_descending_unless_it_says_asc():
    assert [one["id"] for one in run("project id | order by id")] == [
        "/x/d",
        "/x/c",
        "/x/b",
        "/x/a",
    ]
    assert [one["id"] for one in run("project id | sort by id asc")] == [
        "/x/a",
        "/x/b",
        "/x/c",
        "/x/d",
    ]


def test_order_by_several_keys_keeps_their_precedence():
    found = run("where type has 'sql' or type == 't/a' | order by type asc, id desc | project id")
    assert [one["id"] for one in found] == ["/x/c", "/x/a", "/x/d"]


def test_project_names_and_computes_columns():
    found = run(
        "where id endswith 'a' | project id, kind = tolower(type), properties.state, n = properties.size + 1"
    )
    assert found == [
        {"id": "/x/a", "kind": "microsoft.sql/servers", "properties_state": "Ready", "n": 5}
    ]


def test_extend_adds_columns_to_those_there_are():
    (found,) = run(
        "where id endswith 'd' | extend text = tostring(properties.text), location = 'here'"
    )
    assert found["text"] == "one two-three"
    assert found["location"] == "here"
    assert list(found) == [*COLUMNS, "text"]


def test_summarize_counts_by_group():
    assert run("summarize count() by type | order by type asc") == [
        {"type": "Microsoft.Web/sites", "count_": 1},
        {"type": "microsoft.sql/servers", "count_": 2},
        {"type": "t/a", "count_": 1},
    ]


def test_summarize_without_group_gives_one_row():
    assert run(
        "summarize total = count(), most = max(toint(properties.size)), kinds = dcount(type)"
    ) == [{"total": 4, "most": 10, "kinds": 3}]


def test_count_take_top_and_distinct():
    assert run("where type has 'sql' | count") == [{"Count": 2}]
    assert [one["id"] for one in run("project id | limit 2")] == ["/x/b", "/x/a"]
    assert [one["id"] for one in run("top 1 by id asc | project id")] == ["/x/a"]
    assert run("distinct type | where type == 't/a'") == [{"type": "t/a"}]


def test_a_limited_result_says_so():
    assert execute(ROWS, COLUMNS, parse("limit 1").operators, NOW).limited
    assert not execute(ROWS, COLUMNS, parse("project id").operators, NOW).limited


def test_the_table_is_resources_unless_named():
    assert parse("project id").table == "resources"
    assert parse("ResourceContainers | project id").table == "resourcecontainers"


@pytest.mark.parametrize(
    ("query", "position", "token"),
    [
        ("where where", 11, "<EOF>"),
        ("resources | mv-expand x", 12, "mv"),
        ("resources | where type == ", 26, "<EOF>"),
        ("resources\n| project", 9, "<EOF>"),
        ("resources | where ^", 18, "^"),
    ],
)
def test_a_syntax_error_names_its_place(query: str, position: int, token: str):
    with pytest.raises(QueryError) as refused:
        parse(query)
    assert refused.value.detail["code"] == "ParserFailure"
    assert refused.value.detail["characterPositionInLine"] == position
    assert refused.value.detail["token"] == token


@pytest.mark.parametrize(
    ("query", "part"),
    [
        ("project nothing", "'nothing'"),
        ("where unheard(type)", "'unheard'"),
        ("project id | where type == 'x'", "'type'"),
        ("summarize type", "aggregate"),
        ("where tolower() == 'x'", "tolower"),
    ],
)
def test_an_unknown_name_is_refused(query: str, part: str):
    with pytest.raises(QueryError, match=part):
        run(query)
