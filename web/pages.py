"""All areas of the pages, in the order in which their routes are tried."""

from __future__ import annotations

from web import (
    approvals,
    assets,
    audit,
    baselines,
    finding,
    findings,
    home,
    onboarding,
    overview,
    platform,
    report,
    resources,
    rules,
    scans,
    settings,
    sign_in,
    subscriptions,
    users,
)

PAGES = (
    assets,
    home,
    sign_in,
    platform,
    onboarding,
    overview,
    findings,
    finding,
    report,
    resources,
    scans,
    subscriptions,
    baselines,
    approvals,
    rules,
    settings,
    users,
    audit,
)
