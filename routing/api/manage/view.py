"""Base of the management API: a management key, or the dashboard's session with CSRF."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Any, ClassVar

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db.models import Model
from django.http import HttpResponseBase
from django.middleware.csrf import CsrfViewMiddleware
from django.utils import timezone
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework import serializers
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import APIException, ParseError, ValidationError
from rest_framework.parsers import JSONParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import audit, ids, members, tokens
from accounts.audit import Actor
from accounts.errors import GatewayError, InvalidApiKey, InvalidRequest, RoleNotAllowed
from accounts.models import ManagementKey, Tenant
from accounts.roles import Right, has_right
from accounts.tenancy import system_scope, tenant_scope
from routing.wire import bodies

TENANT_IN_SESSION = "tenant"


@dataclass(frozen=True)
class Manager:
    """Who manages: a tenant, the role in it, and the name for its audit list."""

    tenant: Tenant
    role: str
    actor: Actor
    key: ManagementKey | None = None  # none: by session

    def must(self, right: Right) -> None:
        """Raises RoleNotAllowed."""
        if not has_right(self.role, right):
            raise RoleNotAllowed


class CsrfRefused(RoleNotAllowed):
    message = "By session every change needs the CSRF token of the page."
    advice = "Send it as X-CSRFToken, or send a management key in place of the session."


class ManagementAuthentication(BaseAuthentication):
    """`Authorization: Bearer flo2_mgmt_…`, else the session with its CSRF token."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, Manager] | None:
        """DRF's pair of user and credential; the credential is who manages."""
        header = request.META.get("HTTP_AUTHORIZATION", "")
        scheme, _, text = header.partition(" ")
        if scheme.lower() == "bearer":
            return AnonymousUser(), self._by_key(text.strip())
        user = getattr(request._request, "user", None)  # noqa: SLF001  Django's, not DRF's
        if user is None or not user.is_authenticated:
            return None
        self._check_csrf(request)
        membership = members.current(user, request._request.session.get(TENANT_IN_SESSION))  # noqa: SLF001
        if membership is None:
            return None
        return AnonymousUser(), Manager(membership.tenant, membership.role, audit.person(user))

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"

    def _by_key(self, text: str) -> Manager:
        if not tokens.is_well_formed(text):
            raise InvalidApiKey("This is not a management key of this gateway.")
        digests = [
            tokens.digest(text, pepper) for pepper in tokens.peppers(settings.FLO2_KEY_PEPPERS)
        ]
        with system_scope():
            rows = ManagementKey.objects.select_related("tenant")
            key = rows.filter(digest__in=digests, revoked_at=None).first()
        if key is None:
            raise InvalidApiKey("This is not a management key of this gateway.")
        return Manager(key.tenant, "admin", Actor(f"management key …{key.last4}"), key)

    def _check_csrf(self, request: Request) -> None:
        check = CsrfViewMiddleware(lambda _: None)  # type: ignore[arg-type]
        check.process_request(request._request)  # noqa: SLF001
        reason = check.process_view(request._request, None, (), {})  # type: ignore[arg-type]  # noqa: SLF001
        if reason:
            raise CsrfRefused


class ManagementScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = ManagementAuthentication
    name = "managementKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "flo2_mgmt_…"}


class StrictParser(JSONParser):
    """JSON within the limits of all bodies."""

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Any = None
    ) -> dict[str, Any]:
        """Raises InvalidRequest."""
        return bodies.read_storable(stream.read())


class ManageView(APIView):
    """Every method runs in a transaction that sees only the manager's tenant."""

    authentication_classes = [ManagementAuthentication]
    parser_classes = [StrictParser]
    rights: ClassVar[dict[str, Right]] = {"GET": Right.VIEW}
    manager: Manager

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if not isinstance(request.auth, Manager):
            raise InvalidApiKey("Send a management key, or log in.")
        self.manager = request.auth
        method = "GET" if request.method == "HEAD" else request.method
        right = self.rights.get(method or "")
        if right:
            self.manager.must(right)

    def handle_exception(self, exc: Exception) -> Response:
        if isinstance(exc, APIException):
            exc = _ours(exc)
        if not isinstance(exc, GatewayError):
            raise exc
        self.headers = {"Cache-Control": "no-store"}
        return Response(shape(exc), status=exc.http_status, headers=exc.headers)


def scoped(method: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Run a view's method within its manager's tenant."""

    def run(self: ManageView, request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
        with tenant_scope(self.manager.tenant.pk):
            return method(self, request, *args, **kwargs)

    run.__name__, run.__doc__ = method.__name__, method.__doc__
    return run


class StrictSerializer(serializers.Serializer[Any]):
    """A serializer that refuses fields it does not know: a misspelt one must not be ignored."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict):
            unknown = set(data) - set(self.fields)
            if unknown:
                raise ValidationError(
                    {name: ["There is no such field."] for name in sorted(unknown)}
                )
        return super().to_internal_value(data)


def valid(serializer: type[StrictSerializer], request: Request) -> dict[str, Any]:
    """The checked fields of a request. Raises ValidationError."""
    checked = serializer(data=request.data)
    checked.is_valid(raise_exception=True)
    return dict(checked.validated_data)


def shown_id(prefix: str, row: Model) -> str:
    return ids.show(prefix, row.pk)


def now() -> datetime:
    return timezone.now()


class FieldErrors(InvalidRequest):
    """What is wrong with which field."""

    def __init__(self, fields: dict[str, list[str]]) -> None:
        first = next(iter(fields))
        super().__init__(f"{first}: {fields[first][0]}", param=first)
        self.by_field = fields

    @property
    def details(self) -> dict[str, Any]:
        return {**super().details, "fields": self.by_field}


class _HttpError(GatewayError):
    def __init__(self, problem: APIException) -> None:
        super().__init__(str(problem.detail))
        self._status, self._code = problem.status_code, str(problem.default_code)

    @property
    def http_status(self) -> int:
        return self._status

    @property
    def error_code(self) -> str:
        return self._code


def _ours(problem: APIException) -> GatewayError:
    if isinstance(problem, ValidationError):
        return FieldErrors(_flat(problem.detail))
    if isinstance(problem, ParseError):
        return InvalidRequest("The body is not valid JSON.")
    return _HttpError(problem)


def _flat(detail: Any, name: str = "") -> dict[str, list[str]]:
    """DRF's nested details by dotted field names."""
    if isinstance(detail, dict):
        found: dict[str, list[str]] = {}
        for key, value in detail.items():
            place = f"{name}.{key}" if name else str(key)
            found.update(_flat(value, place.replace("non_field_errors", "body")))
        return found
    if isinstance(detail, list) and detail and isinstance(detail[0], dict | list):
        return _flat({str(i): part for i, part in enumerate(detail) if part}, name)
    return {name or "body": [str(part) for part in detail]}


def shape(error: GatewayError) -> dict[str, Any]:
    """How the management API tells an error."""
    kind = "invalid_request_error" if error.http_status < 500 else "api_error"
    shown = {"message": str(error), "type": kind, "param": None, "code": error.error_code}
    return {"error": {**shown, **error.details}}
