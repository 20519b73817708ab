"""All areas of the pages, in the order in which their routes are tried."""

from __future__ import annotations

from web import (
    approvals,
    assets,
    audit,
    backups,
    baselines,
    erasures,
    finding,
    findings,
    home,
    onboarding,
    overview,
    platform,
    resources,
    rules,
    scans,
    settings,
    sign_in,
    subscriptions,
    usage,
    users,
)

PAGES = (
    assets,
    home,
    sign_in,
    platform,
    erasures,
    usage,
    onboarding,
    overview,
    findings,
    finding,
    resources,
    scans,
    subscriptions,
    baselines,
    approvals,
    rules,
    settings,
    users,
    audit,
    backups,
)
