from accounts.models.audit import AuditEvent
from accounts.models.change import Change
from accounts.models.gateway_key import GatewayKey, ManagementKey
from accounts.models.invitation import Invitation
from accounts.models.operator import Impersonation, Installation, OperatorEvent
from accounts.models.project import Project
from accounts.models.provider_key import ProviderKey
from accounts.models.settings import TenantSettings
from accounts.models.tenant import Membership, Tenant
from accounts.models.user import User

__all__ = [
    "AuditEvent",
    "Change",
    "GatewayKey",
    "Impersonation",
    "Installation",
    "Invitation",
    "ManagementKey",
    "Membership",
    "OperatorEvent",
    "Project",
    "ProviderKey",
    "Tenant",
    "TenantSettings",
    "User",
]
