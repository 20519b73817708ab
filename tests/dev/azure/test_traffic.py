from __future__ import annotations

import pytest

from dev.azure.traffic import Fault, FaultMatch, Traffic, kind_of

SUB = "/subscriptions/00000000-0000-0000-0000-00000000000a"


@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [
        ("POST", "/tenant/oauth2/v2.0/token", "token"),
        ("GET", "/tenant/v2.0/.well-known/openid-configuration", "entra-metadata"),
        ("GET", "/tenant/discovery/v2.0/keys", "entra-metadata"),
        ("GET", "/msi/token", "managed-identity"),
        ("POST", "/providers/microsoft.resourcegraph/Resources", "graph"),
        ("GET", "/secrets/x/", "vault"),
        ("DELETE", "/deletedsecrets/x", "vault"),
        ("GET", "/subscriptions", "arm-list"),
        ("GET", SUB, "arm-get"),
        ("GET", f"{SUB}/resourcegroups", "arm-list"),
        ("HEAD", f"{SUB}/resourcegroups/g", "arm-get"),
        ("GET", f"{SUB}/resources", "arm-list"),
        ("GET", f"{SUB}/providers/A.B/cs/d", "arm-get"),
        ("GET", f"{SUB}/providers/A.B/cs/d/providers/E.F/gs", "arm-list"),
        ("PATCH", f"{SUB}/providers/A.B/cs/d", "arm-write"),
        ("GET", "/favicon.ico", "other"),
    ],
)
def test_requests_are_of_a_kind(method: str, path: str, kind: str):
    assert kind_of(method, path) == kind


def test_the_first_fault_that_claims_a_request_answers_it():
    traffic = Traffic()
    once = traffic.add_fault(Fault(0, FaultMatch(path="/a"), status=500, times=1))
    always = traffic.add_fault(Fault(0, FaultMatch(method="get"), status=503))
    assert [traffic.fault_for("GET", "/a", "") for _ in range(2)] == [once, always]
    assert traffic.fault_for("PUT", "/a", "") is None


def test_the_nth_fault_counts_only_matching_requests():
    traffic = Traffic()
    fault = traffic.add_fault(Fault(0, FaultMatch(path="/a", directory="D", nth=2), status=500))
    asked = [("/a", "d"), ("/b", "d"), ("/a", "e"), ("/a", "d"), ("/a", "d")]
    assert [traffic.fault_for("GET", path, who) for path, who in asked] == [
        None,
        None,
        None,
        fault,
        None,
    ]
