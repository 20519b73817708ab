"""The deployment's own key: made at its first use, kept in the vault, the same for every process."""

from __future__ import annotations

import re

from settings import Settings
from tenancy.deployment import OWN, Deployment


async def test_key_is_random_and_every_process_has_the_same(
    deployment: Deployment, settings: Settings
) -> None:
    key = await deployment.signing_key()
    assert re.fullmatch(rb"[0-9a-f]{64}", key)
    other = Deployment(settings)
    try:
        assert await other.signing_key() == key
    finally:
        await other.close()


async def test_key_is_a_secret_of_the_deployment_that_the_vault_names_by_its_purpose(
    deployment: Deployment,
) -> None:
    key = await deployment.signing_key()
    name = await deployment.registry.signing_secret()
    assert await deployment.vault.of(OWN).read(name) == key.decode()
    kept = [one for one in await deployment.vault.kept() if one.name == name]
    assert [(one.tenant_id, one.purpose) for one in kept] == [(OWN, "signing")]


async def test_key_that_the_vault_lost_is_made_anew(deployment: Deployment) -> None:
    before = await deployment.signing_key()
    await deployment.vault.of(OWN).erase(await deployment.registry.signing_secret())
    after = await deployment.signing_key()
    assert after != before
    assert await deployment.signing_key() == after


async def test_first_key_of_a_deployment_is_made(deployment: Deployment) -> None:
    await deployment.registry.set_signing_secret("")
    assert re.fullmatch(rb"[0-9a-f]{64}", await deployment.signing_key())
