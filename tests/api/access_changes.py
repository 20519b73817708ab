"""Calls of every route that changes a tenant itself, or who may enter it."""

from __future__ import annotations

import uuid

from tests.api.desk import Desk, Told, calls, own
from tests.api.members import add, body, header_of


@calls("POST", "/api/tenants")
async def _(desk: Desk) -> Told:
    organisation = await desk.new_organisation()
    answer = await desk.platform.post("/api/tenants", json=organisation.tenant_body())
    return answer.json()["id"], "tenant.create", answer


@calls("PATCH", "/api/tenants/{tenant_id}")
async def _(desk: Desk) -> Told:
    path = f"/api/tenants/{desk.uploader.tenant_id}"
    headers = await desk.if_match(path, desk.platform)
    answer = await desk.platform.patch(path, json={"name": "new"}, headers=headers)
    return own(desk, "tenant.rename", answer)


@calls("PUT", "/api/tenants/{tenant_id}/quotas")
async def _(desk: Desk) -> Told:
    path = f"/api/tenants/{desk.uploader.tenant_id}/quotas"
    headers = await desk.if_match(path, desk.platform)
    answer = await desk.platform.put(path, json={"scansADay": 48}, headers=headers)
    return own(desk, "tenant.quotas", answer)


@calls("PUT", "/api/tenants/{tenant_id}/settings")
async def _(desk: Desk) -> Told:
    tenant_id, _ = await desk.provisioning()
    path = f"/api/tenants/{tenant_id}/settings"
    return tenant_id, "settings.start", await desk.platform.put(path, json={"template": "quiet"})


@calls("PUT", "/api/tenants/{tenant_id}/connection")
async def _(desk: Desk) -> Told:
    tenant_id, organisation = await desk.provisioning()
    given = organisation.tenant_body()["connection"]
    path = f"/api/tenants/{tenant_id}/connection"
    return tenant_id, "connection.set", await desk.platform.put(path, json=given)


@calls("PUT", "/api/tenants/{tenant_id}/admin")
async def _(desk: Desk) -> Told:
    tenant_id, organisation = await desk.provisioning()
    given = organisation.tenant_body()["admin"]
    path = f"/api/tenants/{tenant_id}/admin"
    return tenant_id, "user.add", await desk.platform.put(path, json=given)


@calls("POST", "/api/tenants/{tenant_id}/activate")
async def _(desk: Desk) -> Told:
    tenant_id, organisation = await desk.provisioning()
    path = f"/api/tenants/{tenant_id}"
    await desk.platform.put(f"{path}/settings", json={"template": "quiet"})
    await desk.platform.put(f"{path}/admin", json=organisation.tenant_body()["admin"])
    return tenant_id, "tenant.provision", await desk.platform.post(f"{path}/activate")


@calls("PUT", "/api/tenants/{tenant_id}/shared-subscriptions/{subscription_id}")
async def _(desk: Desk) -> Told:
    path = f"/api/tenants/{desk.uploader.tenant_id}/shared-subscriptions/{uuid.uuid4()}"
    return own(desk, "subscription.share", await desk.platform.put(path))


@calls("DELETE", "/api/tenants/{tenant_id}/shared-subscriptions/{subscription_id}")
async def _(desk: Desk) -> Told:
    path = f"/api/tenants/{desk.uploader.tenant_id}/shared-subscriptions/{uuid.uuid4()}"
    return own(desk, "subscription.unshare", await desk.platform.delete(path))


@calls("POST", "/api/tenants/{tenant_id}/suspend")
async def _(desk: Desk) -> Told:
    path = f"/api/tenants/{desk.uploader.tenant_id}/suspend"
    return own(desk, "tenant.suspend", await desk.platform.post(path))


@calls("POST", "/api/tenants/{tenant_id}/resume")
async def _(desk: Desk) -> Told:
    path = f"/api/tenants/{desk.uploader.tenant_id}"
    await desk.platform.post(f"{path}/suspend")
    return own(desk, "tenant.resume", await desk.platform.post(f"{path}/resume"))


@calls("DELETE", "/api/tenants/{tenant_id}")
async def _(desk: Desk) -> Told:
    answer = await desk.platform.delete(f"/api/tenants/{desk.uploader.tenant_id}")
    return own(desk, "tenant.delete", answer)


@calls("POST", "/api/users")
async def _(desk: Desk) -> Told:
    given = body(desk.uploader.organisation)
    return own(desk, "user.add", await desk.admin.post("/api/users", json=given))


@calls("PUT", "/api/users/app-roles")
async def _(desk: Desk) -> Told:
    path = "/api/users/app-roles"
    headers = await desk.if_match(path)
    answer = await desk.admin.put(path, json={"allowed": True}, headers=headers)
    return own(desk, "users.appRoles", answer)


@calls("PATCH", "/api/users/{user_id}")
async def _(desk: Desk) -> Told:
    path = f"/api/users/{(await add(desk.admin, body(desk.uploader.organisation)))['id']}"
    headers = await desk.if_match(path)
    answer = await desk.admin.patch(path, json={"role": "viewer"}, headers=headers)
    return own(desk, "user.role", answer)


@calls("DELETE", "/api/users/{user_id}")
async def _(desk: Desk) -> Told:
    path = f"/api/users/{(await add(desk.admin, body(desk.uploader.organisation)))['id']}"
    answer = await desk.admin.delete(path, headers=await desk.if_match(path))
    return own(desk, "user.remove", answer)


INVITED = {"name": "Gus", "role": "viewer"}


@calls("POST", "/api/invitations")
async def _(desk: Desk) -> Told:
    answer = await desk.admin.post("/api/invitations", json=INVITED)
    return own(desk, "invitation.create", answer)


@calls("DELETE", "/api/invitations/{invitation_id}")
async def _(desk: Desk) -> Told:
    made = await desk.make("/api/invitations", INVITED)
    answer = await desk.admin.delete(f"/api/invitations/{made['id']}")
    return own(desk, "invitation.withdraw", answer)


@calls("POST", "/api/invitations/accept")
async def _(desk: Desk) -> Told:
    made = await desk.make("/api/invitations", INVITED)
    guest = desk.sign_in(header_of(str(uuid.uuid4()), str(uuid.uuid4())))
    answer = await guest.post("/api/invitations/accept", json={"code": made["code"]})
    return own(desk, "invitation.accept", answer)
