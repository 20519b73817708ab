"""The bearer token as a second lock: attack A18 case by case, with real signatures and keys read over real HTTPS.

The simulated Entra ID signs what is good; what is not is signed here, with throw-away keys.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time as clock
import uuid
from dataclasses import replace

import httpx2 as httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization

from dev.azure.admin import AzureAdmin
from errors import Unauthenticated, Unavailable
from settings import AUTHORITIES, Settings, read_settings
from tenancy.bearer import LEEWAY_SECONDS, BearerTokens
from tenancy.deployment import Deployment
from tenancy.ids import DirectoryId, ObjectId
from tenancy.principal import LARGEST_HEADER, PERSONAL_ACCOUNTS, Principal
from tenancy.signing_keys import SigningKeys
from tests.listener import listening
from tests.tenancy.tokens import CLIENT_ID, STRANGER, UNLISTED, confirm, encode, forge, mint, refuse

ALGORITHM = "only RS256 counts as a signature"
AUDIENCE = "it is meant for another application"
ISSUER = "its issuer is not Entra ID for its directory"
NO_TOKEN = "it is no JSON Web Token"
SIGNATURE = "its signature or its form is wrong"
TOO_LARGE = "it is too large"
ONE_HEADER = "Send one Authorization header with a bearer token, or none."
SOMEBODY_ELSE = "The bearer token is somebody else's than the sign-in."


async def refusal(tokens: BearerTokens, principal: Principal, *headers: tuple[str, str]) -> str:
    """What a caller is told whose headers do not count."""
    with pytest.raises(Unauthenticated) as refused:
        await tokens.confirm(headers, principal)
    return refused.value.message


@pytest.mark.parametrize("audience", [CLIENT_ID, f"api://{CLIENT_ID}", "https://drift.example/api"])
@pytest.mark.parametrize("version", ["1.0", "2.0"])
async def test_own_token_of_either_version_is_confirmed(
    tokens: BearerTokens, azure: AzureAdmin, principal: Principal, audience: str, version: str
) -> None:
    v1 = {"ver": "1.0", "iss": f"https://sts.windows.net/{principal.directory_id}/"}
    token = await mint(azure, principal, audience, **(v1 if version == "1.0" else {}))
    assert await confirm(tokens, principal, token) == principal


async def test_without_a_token_the_sign_in_stands_alone(
    tokens: BearerTokens, principal: Principal
) -> None:
    assert await tokens.confirm([("x-other", "Bearer x")], principal) == principal


async def test_a18_algorithm_none(
    tokens: BearerTokens, azure: AzureAdmin, principal: Principal
) -> None:
    token = await mint(azure, principal)
    header, claims, signature = token.split(".")
    kid = jwt.get_unverified_header(token)["kid"]
    for algorithm in ("none", "None", "NONE"):
        head = encode({"alg": algorithm, "typ": "JWT", "kid": kid})
        for rest in ("", signature):
            await refuse(tokens, principal, f"{head}.{claims}.{rest}", ALGORITHM)
    await refuse(tokens, principal, f"{header}.{claims}.", SIGNATURE)


async def test_a18_hs256_with_the_public_key(
    tokens: BearerTokens, azure: AzureAdmin, principal: Principal, app: Settings
) -> None:
    """The key that everybody can read, used as if it were a shared secret."""
    token = await mint(azure, principal)
    kid = jwt.get_unverified_header(token)["kid"]
    async with httpx.AsyncClient() as client:
        listed = (await client.get(f"{app.authority_host}/common/discovery/v2.0/keys")).json()
    key = jwt.PyJWK(next(one for one in listed["keys"] if one["kid"] == kid)).key
    pem = key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    signed = f"{encode({'alg': 'HS256', 'kid': kid})}.{token.split('.')[1]}"
    mac = hmac.new(pem, signed.encode(), hashlib.sha256).digest()
    forged = f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"
    await refuse(tokens, principal, forged, ALGORITHM)


@pytest.mark.parametrize("algorithm", ["RS384", "RS512", "PS256"])
async def test_a18_other_algorithms(
    tokens: BearerTokens, azure: AzureAdmin, principal: Principal, algorithm: str
) -> None:
    forged = forge(await mint(azure, principal), STRANGER, algorithm)
    await refuse(tokens, principal, forged, ALGORITHM)


@pytest.mark.parametrize(
    "audience",
    [
        "https://graph.microsoft.com",
        "00000003-0000-0000-c000-000000000000",
        "https://management.azure.com",
        f"api://{CLIENT_ID}/",
        CLIENT_ID.upper(),
    ],
    ids=["graph", "graph id", "arm", "slash", "upper case"],
)
async def test_a18_token_for_somebody_else(
    tokens: BearerTokens, azure: AzureAdmin, principal: Principal, audience: str
) -> None:
    await refuse(tokens, principal, await mint(azure, principal, audience), AUDIENCE)


async def test_a18_other_apps_token(
    tokens: BearerTokens, azure: AzureAdmin, principal: Principal
) -> None:
    token = await mint(azure, principal, f"api://{uuid.uuid4()}", azp=CLIENT_ID, appid=CLIENT_ID)
    await refuse(tokens, principal, token, AUDIENCE)


@pytest.mark.parametrize(
    "issuer",
    [
        "https://sts.windows.net/{other}/",
        "{authority}/{other}/v2.0",
        "https://login.microsoftonline.com/{own}/v2.0",
        "https://evil.example/{own}/v2.0",
        "{authority}/{own}/v2.0/",
        "{authority}/{{tenantid}}/v2.0",
        "https://sts.windows.net/{own}",
    ],
)
async def test_a18_issuer_of_another_directory_or_cloud(
    tokens: BearerTokens, azure: AzureAdmin, principal: Principal, app: Settings, issuer: str
) -> None:
    given = issuer.format(
        other=uuid.uuid4(), own=principal.directory_id, authority=app.authority_host
    )
    await refuse(tokens, principal, await mint(azure, principal, iss=given), ISSUER)


@pytest.mark.parametrize("odd", [7, True, [], ["own"], {"own": 1}])
async def test_a18_issuer_or_directory_that_is_no_text(
    tokens: BearerTokens, azure: AzureAdmin, principal: Principal, odd: object
) -> None:
    await refuse(tokens, principal, await mint(azure, principal, iss=odd), ISSUER)
    await refuse(tokens, principal, await mint(azure, principal, iss="", tid=odd), ISSUER)


async def test_a18_expired(tokens: BearerTokens, azure: AzureAdmin, principal: Principal) -> None:
    now = int(clock.time())
    late = await mint(azure, principal, exp=now - LEEWAY_SECONDS - 5)
    await refuse(tokens, principal, late, "it is out of date: get a new one")
    just = await mint(azure, principal, exp=now - LEEWAY_SECONDS // 2)
    assert await confirm(tokens, principal, just) == principal


async def test_a18_not_yet_valid(
    tokens: BearerTokens, azure: AzureAdmin, principal: Principal
) -> None:
    now = int(clock.time())
    early = await mint(azure, principal, nbf=now + LEEWAY_SECONDS + 60)
    await refuse(tokens, principal, early, "its time has not come yet")
    just = await mint(azure, principal, nbf=now + LEEWAY_SECONDS // 2)
    assert await confirm(tokens, principal, just) == principal


async def test_a18_unknown_key(
    tokens: BearerTokens, azure: AzureAdmin, principal: Principal
) -> None:
    good = await mint(azure, principal)
    for key_id in (uuid.uuid4().hex, "../../keys", "https://evil.example/keys"):
        forged = forge(good, STRANGER, "RS256", kid=key_id)
        await refuse(tokens, principal, forged, UNLISTED)
    for nothing in ("", None):
        forged = forge(good, STRANGER, "RS256", kid=nothing)
        await refuse(tokens, principal, forged, "it does not say which key it is signed with")


async def test_a18_signature_of_another_key(
    tokens: BearerTokens, azure: AzureAdmin, principal: Principal
) -> None:
    """The key id is listed, the signature is not that key's; nor do changed claims keep it."""
    good = await mint(azure, principal)
    await refuse(tokens, principal, forge(good, STRANGER, "RS256"), SIGNATURE)
    header, _, signature = good.split(".")
    changed = jwt.decode(good, options={"verify_signature": False}) | {"oid": str(uuid.uuid4())}
    await refuse(tokens, principal, f"{header}.{encode(changed)}.{signature}", SIGNATURE)


async def test_a18_token_that_brings_its_own_keys(
    tokens: BearerTokens, azure: AzureAdmin, principal: Principal
) -> None:
    """Headers that name where the key is, or bring it, are not looked at: nobody is called."""
    good = await mint(azure, principal)
    own = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(STRANGER.public_key()))
    async with listening() as listener:
        for brought in (
            {"jku": f"{listener.origin}/keys"},
            {"x5u": f"{listener.origin}/cert"},
            {"jwk": own},
        ):
            await refuse(tokens, principal, forge(good, STRANGER, "RS256", **brought), SIGNATURE)
        iss = f"{listener.origin}/{principal.directory_id}/v2.0"
        await refuse(tokens, principal, await mint(azure, principal, iss=iss), ISSUER)
    assert listener.calls == 0


@pytest.mark.parametrize("claim", ["exp", "nbf", "iss", "aud", "tid", "oid"])
async def test_a18_missing_claim(
    tokens: BearerTokens, azure: AzureAdmin, principal: Principal, claim: str
) -> None:
    token = await mint(azure, principal, **{claim: None})
    await refuse(tokens, principal, token, f"it has no claim {claim}")


async def test_a18_key_of_personal_accounts_signs_for_no_directory(
    tokens: BearerTokens, faults: AzureAdmin, principal: Principal
) -> None:
    """Entra ID lists for each key whose tokens it may sign; that of personal accounts is on the common list too."""
    token = await mint(faults, principal)
    own = {r"\{tenantid\}/v2.0\"(?=[^\]]*\])": f'{PERSONAL_ACCOUNTS}/v2.0"'}
    await faults.add_fault(match={"path": "discovery/v2.0/keys"}, replace=own)
    await refuse(tokens, principal, token, "its key is not for its directory")


@pytest.mark.parametrize(
    "value",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer x",
        "Bearer a.b.c",
        "Bearer " + encode({"alg": "RS256", "kid": 7}) + ".e30.x",
        "Bearer " + encode({"alg": ["RS256"]}) + ".e30.x",
        "Bearer " + encode([]) + ".e30.x",
        "Bearer " + base64.urlsafe_b64encode(b"[" * 20_000).decode() + ".e30.x",
        "Bearer " + base64.urlsafe_b64encode(b'{"alg":1e999}').decode() + ".e30.x",
        "Bearer " + "A" * 40_000,
        "Bearer é.é.é",
        "Basic YTpi",
        "bearertoken",
    ],
)
async def test_a18_what_is_no_token(tokens: BearerTokens, principal: Principal, value: str) -> None:
    with pytest.raises(Unauthenticated):
        await tokens.confirm([("Authorization", value)], principal)


async def test_a18_token_of_any_size_is_read_up_to_the_limit(
    tokens: BearerTokens, principal: Principal
) -> None:
    await refuse(tokens, principal, "A" * LARGEST_HEADER, NO_TOKEN)
    await refuse(tokens, principal, "A" * (LARGEST_HEADER + 1), TOO_LARGE)


async def test_a18_two_tokens(
    tokens: BearerTokens, azure: AzureAdmin, principal: Principal
) -> None:
    good = await mint(azure, principal)
    twice = [("authorization", f"Bearer {good}"), ("Authorization", f"Bearer {good}")]
    assert await refusal(tokens, principal, *twice) == ONE_HEADER
    await refuse(tokens, principal, f"{good},Bearer {good}", NO_TOKEN)


@pytest.mark.parametrize("scheme", ["Basic", "DPoP", "Token", ""])
async def test_a18_good_token_under_another_scheme(
    tokens: BearerTokens, azure: AzureAdmin, principal: Principal, scheme: str
) -> None:
    value = f"{scheme} {await mint(azure, principal)}"
    assert await refusal(tokens, principal, ("Authorization", value)) == ONE_HEADER
    for own in ("bearer", "BEARER"):
        given = [("AUTHORIZATION", f"{own} {await mint(azure, principal)}")]
        assert await tokens.confirm(given, principal) == principal


async def test_token_of_another_principal_than_the_header_says(
    tokens: BearerTokens, azure: AzureAdmin, principal: Principal
) -> None:
    """Who can forge the header has no token of the one it names."""
    other = replace(principal, object_id=ObjectId(str(uuid.uuid4())))
    token = await mint(azure, other)
    assert await refusal(tokens, principal, ("authorization", f"Bearer {token}")) == SOMEBODY_ELSE
    home = DirectoryId(str(uuid.uuid4()))
    await azure.put_directory(home, name="other")
    twin = replace(principal, directory_id=home)
    token = await mint(azure, twin)
    assert await refusal(tokens, principal, ("authorization", f"Bearer {token}")) == SOMEBODY_ELSE


async def test_roles_count_where_both_say_them_and_an_application_stays_one(
    tokens: BearerTokens, azure: AzureAdmin, principal: Principal
) -> None:
    boasting = replace(principal, app_roles=frozenset({"Drift.Admin", "Drift.Viewer"}))
    token = await mint(azure, principal, roles=["Drift.Viewer", "Other"])
    assert (await confirm(tokens, boasting, token)).app_roles == {"Drift.Viewer"}
    token = await mint(azure, principal, sub=principal.object_id)
    assert (await confirm(tokens, principal, token)).application
    token = await mint(azure, principal, acct=1)
    assert (await confirm(tokens, principal, token)).guest


async def test_app_without_an_audience_checks_no_token(
    settings: Settings, deployment: Deployment, azure: AzureAdmin, principal: Principal
) -> None:
    nobody = replace(settings, audiences=frozenset())
    tokens = BearerTokens(nobody, SigningKeys(nobody, lambda: deployment.transport))
    with pytest.raises(Unavailable) as refused:
        await confirm(tokens, principal, await mint(azure, principal))
    assert refused.value.message == (
        "Bearer tokens cannot be checked here: set DRIFT_API_AUDIENCE to the app registration's client id."
    )


def test_each_cloud_has_issuers_of_its_own() -> None:
    required = {
        "DRIFT_STORAGE_CONNECTION_STRING": "x",
        "DRIFT_KEY_VAULT_URL": "https://vault.example",
        "DRIFT_PLATFORM_DIRECTORY_ID": str(uuid.uuid4()),
    }
    for authority, issuers in AUTHORITIES.items():
        assert read_settings(required | {"AZURE_AUTHORITY_HOST": authority}).issuers == issuers
        assert all(one.startswith("https://") and "{tenantid}" in one for one in issuers)
    stand_in = read_settings(required | {"AZURE_AUTHORITY_HOST": "https://localhost:1"})
    assert stand_in.issuers[0] == "https://localhost:1/{tenantid}/v2.0"
