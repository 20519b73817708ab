"""Who may do what at Resource Manager and Resource Graph, in Azure's words when they may not."""

from __future__ import annotations

from datetime import UTC, datetime

from starlette.requests import Request

from dev.azure.answers import AzureError, arm_error
from dev.azure.arm_ids import ArmId
from dev.azure.cloud import Cloud
from dev.azure.directories import Subscription
from dev.azure.tokens import Principal, TokenError, principal_of, read_bearer

ARM_AUDIENCES = (
    "https://management.core.windows.net/",
    "https://management.core.windows.net",
    "https://management.azure.com/",
    "https://management.azure.com",
)


def authenticate(cloud: Cloud, request: Request) -> Principal:
    """The caller, of whatever directory. Which subscriptions are in reach is `open_subscription`'s to say."""
    try:
        claims = cloud.tokens.read(read_bearer(request.headers.get("authorization")))
    except TokenError as error:
        raise _refuse_token(error) from error
    principal = principal_of(claims)
    request.scope["azure.principal"] = principal.object_id
    if principal.audience not in ARM_AUDIENCES:
        allowed = ",".join(f"'{one}'" for one in ARM_AUDIENCES)
        raise _challenge(
            "InvalidAuthenticationTokenAudience",
            f"The access token has been obtained for wrong audience or resource '{principal.audience}'. It should "
            f"exactly match with one of the allowed audiences {allowed}.",
            "The access token has been obtained for wrong audience.",
        )
    return principal


def open_subscription(cloud: Cloud, principal: Principal, subscription_id: str) -> Subscription:
    subscription = cloud.register.subscription(subscription_id)
    if subscription is None or subscription.state == "Deleted":
        raise arm_error(
            404, "SubscriptionNotFound", f"The subscription '{subscription_id}' could not be found."
        )
    delegated = principal.object_id.lower() in subscription.delegated_to
    if principal.directory_id != subscription.directory_id and not delegated:
        raise _wrong_tenant(principal, subscription)
    return subscription


def require(
    subscription: Subscription,
    principal: Principal,
    action: str,
    scope: str,
    *,
    write: bool = False,
) -> None:
    """Reader for reading; writing needs more."""
    allowed = subscription.may_write if write else subscription.may_read
    if not allowed(principal.object_id):
        raise authorization_failed(principal, action, scope)


def require_resource(
    subscription: Subscription, principal: Principal, arm_id: ArmId, verb: str
) -> None:
    """`verb`: read, write or delete."""
    action = f"{arm_id.resource_type or 'Microsoft.Resources/subscriptions/resourceGroups'}/{verb}"
    require(subscription, principal, action, arm_id.text, write=verb != "read")
    if is_hidden(subscription, principal, arm_id.resource_type, arm_id.resource_group):
        raise authorization_failed(principal, action, arm_id.text)


def is_hidden(
    subscription: Subscription, principal: Principal, resource_type: str, resource_group: str
) -> bool:
    return bool(subscription.denied) and subscription.is_denied(
        principal.object_id, resource_type, resource_group
    )


def authorization_failed(principal: Principal, action: str, scope: str) -> AzureError:
    return arm_error(
        403,
        "AuthorizationFailed",
        f"The client '{principal.client_id or principal.object_id}' with object id '{principal.object_id}' does not "
        f"have authorization to perform action '{action}' over scope '{scope}' or the scope is invalid. If access was "
        "recently granted, please refresh your credentials.",
    )


def _challenge(code: str, message: str, description: str, directory_id: str = "") -> AzureError:
    return arm_error(
        401,
        code,
        message,
        {
            "www-authenticate": f'Bearer authorization_uri="https://login.windows.net/{directory_id}", '
            f'error="invalid_token", error_description="{description}"'
        },
    )


def _refuse_token(error: TokenError) -> AzureError:
    if error.reason == "missing":
        return _challenge(
            "AuthenticationFailed",
            "Authentication failed. The 'Authorization' header is missing.",
            "The authentication failed because of missing 'Authorization' header.",
        )
    if error.reason == "expired":
        expired = _us_time(datetime.fromtimestamp(error.claims["exp"], UTC))
        return _challenge(
            "ExpiredAuthenticationToken",
            f"The access token expiry UTC time '{expired}' is earlier than current UTC time "
            f"'{_us_time(datetime.now(UTC))}'.",
            "The access token has expired.",
        )
    if error.reason == "signature":
        return _challenge(
            "InvalidAuthenticationToken",
            "The access token validation failure. Signature validation failed.",
            "The access token signature is invalid.",
        )
    return _challenge(
        "InvalidAuthenticationToken",
        "The access token is invalid.",
        "Could not parse the access token.",
    )


def _us_time(moment: datetime) -> str:
    """As the recorded answers write it: 10/16/2018 6:09:32 PM."""
    hour = moment.hour % 12 or 12
    return f"{moment.month}/{moment.day}/{moment.year} {hour}:{moment:%M:%S %p}"


def _wrong_tenant(principal: Principal, subscription: Subscription) -> AzureError:
    wanted = subscription.directory_id
    return _challenge(
        "InvalidAuthenticationTokenTenant",
        f"The access token is from the wrong issuer 'https://sts.windows.net/{principal.directory_id}/'. It must match "
        f"the tenant 'https://sts.windows.net/{wanted}/' associated with this subscription. Please use the authority "
        f"(URL) 'https://login.windows.net/{wanted}' to get the token. Note, if the subscription is transferred to "
        "another tenant there is no impact to the services, but information about new tenant could take time to "
        "propagate (up to an hour). If you just transferred your subscription and see this error message, please try "
        "back later.",
        "The access token is from the wrong issuer. It must match the tenant associated with this subscription.",
        wanted,
    )
