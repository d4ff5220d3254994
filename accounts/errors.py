"""Everything that we tell a caller descends from GatewayError.

GatewayError
├── InvalidRequest              400 invalid_request
│   └── UnknownOption           400 unknown_option
├── InvalidApiKey               401 invalid_api_key
├── TenantSuspended             403 tenant_suspended
├── KeyExpired                  403 key_expired
├── AddressNotAllowed           403 address_not_allowed
├── RoleNotAllowed              403 role_not_allowed
├── NotFound                    404 not_found
├── Conflict                    409 conflict
└── Unavailable                 503 overloaded

`billing.errors` and `routing.errors` grow further branches.
"""

from typing import Any, ClassVar


class GatewayError(Exception):
    """A refusal or failure that its receiver can act on.

    `status` and `code` are those of the contract; `advice` says what to do next and is filled
    with the fields given; `retry` False makes the answer carry `x-should-retry: false`.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    message: ClassVar[str] = "The gateway failed."
    advice: ClassVar[str] = ""
    retry: ClassVar[bool] = False

    def __init__(self, message: str = "", **fields: Any) -> None:
        self.fields = fields
        text = message or self.message.format(**fields)
        advice = self.advice.format(**fields)
        super().__init__(f"{text} {advice}" if advice else text)

    @property
    def http_status(self) -> int:
        return self.status

    @property
    def error_code(self) -> str:
        return self.code

    @property
    def headers(self) -> dict[str, str]:
        """Headers beyond the usual ones, such as retry-after."""
        return {}

    @property
    def details(self) -> dict[str, Any]:
        """Fields to add to the error object of the answer."""
        return {}


class InvalidRequest(GatewayError):
    """The request cannot be understood; `param` names the field."""

    status = 400
    code = "invalid_request"

    def __init__(self, message: str = "", *, param: str | None = None, **fields: Any) -> None:
        super().__init__(message, **fields)
        self.param = param

    @property
    def details(self) -> dict[str, Any]:
        return {"param": self.param}


class UnknownOption(InvalidRequest):
    code = "unknown_option"


class InvalidApiKey(GatewayError):
    status = 401
    code = "invalid_api_key"
    message = "Incorrect gateway key provided."
    advice = "Send `Authorization: Bearer flo2_…` with a key from the Keys page."


class TenantSuspended(GatewayError):
    status = 403
    code = "tenant_suspended"
    message = "This account is suspended."
    advice = "Ask the operator of this gateway why."


class KeyExpired(GatewayError):
    status = 403
    code = "key_expired"
    message = "This gateway key expired at {expired_at}."
    advice = "Create a key on the Keys page."


class AddressNotAllowed(GatewayError):
    status = 403
    code = "address_not_allowed"
    message = "This gateway key may not be used from {address}."
    advice = "Add the network to the key's allowed_cidrs on the Keys page."


class RoleNotAllowed(GatewayError):
    status = 403
    code = "role_not_allowed"
    message = "Your role does not allow this."
    advice = "Ask an owner or admin of the tenant."


class NotFound(GatewayError):
    status = 404
    code = "not_found"
    message = "There is no such {kind}."


class Conflict(GatewayError):
    status = 409
    code = "conflict"


class Unavailable(GatewayError):
    status = 503
    code = "overloaded"
    message = "The gateway cannot check this key at the moment."
    advice = "Try again shortly."
    retry = True

    @property
    def headers(self) -> dict[str, str]:
        return {"retry-after": "1"}
