"""GatewayError
├── ModelNotFound               404 model_not_found
├── ModelNotAllowed             403 model_not_allowed
├── NoProviderKey               424 no_provider_key
├── NotServed                   400 invalid_request | context_length_exceeded
├── PriceUnknown                402 price_unknown
├── TooExpensive                402 budget_exceeded (scope request)
├── Overloaded                  503 overloaded
├── PayloadTooLarge             413 payload_too_large
├── UnsupportedEncoding         415 unsupported_encoding
└── SandboxAway                 503 no_healthy_provider

`execution.exhausted.AllFailed` stands for a chain in which every candidate failed.
"""

from accounts.errors import GatewayError, InvalidRequest


class ModelNotFound(GatewayError):
    status = 404
    code = "model_not_found"
    message = "No provider of this gateway knows the model {model!r}."
    advice = "{hint}"


class ModelNotAllowed(GatewayError):
    status = 403
    code = "model_not_allowed"
    message = "This gateway key may not use the model {model!r}."
    advice = "Its allowed_models are set on the Keys page."


class NoProviderKey(GatewayError):
    status = 424
    code = "no_provider_key"
    message = "No provider key of yours can serve {model!r}."
    advice = "Paste a key of {providers} at {url}."


class ProviderKeyRejected(GatewayError):
    status = 424
    code = "provider_key_rejected"
    message = "Your keys for {model!r} are disabled or were refused by their providers."
    advice = "Check or replace them at {url}."


class ProviderCreditExhausted(GatewayError):
    status = 402
    code = "provider_credit_exhausted"
    message = "Your provider accounts for {model!r} are out of credit."
    advice = "Add credit there, then verify the key at {url}."


class NotServed(InvalidRequest):
    """No candidate can do what the request asks for."""


class ContextTooLong(NotServed):
    code = "context_length_exceeded"


class PriceUnknown(GatewayError):
    status = 402
    code = "price_unknown"
    message = "The price of {model!r} is not known, so a price limit cannot be kept."
    advice = "Set its price on the Reconciliation page, or drop the limit."


class TooExpensive(GatewayError):
    status = 402
    code = "budget_exceeded"
    message = "Every candidate for {model!r} costs more than {limit} allows."
    advice = "Raise the ceiling or choose a cheaper model."


class Overloaded(GatewayError):
    status = 503
    code = "overloaded"
    message = "This gateway has too many calls in flight."
    advice = "Try again shortly."
    retry = True

    @property
    def headers(self) -> dict[str, str]:
        return {"retry-after": "1"}


class PayloadTooLarge(GatewayError):
    status = 413
    code = "payload_too_large"
    message = "The body is larger than {limit} MB."
    advice = "Send less, or send images by URL."


class UnsupportedEncoding(GatewayError):
    status = 415
    code = "unsupported_encoding"
    message = "Bodies must be sent without Content-Encoding."


class SandboxAway(GatewayError):
    status = 503
    code = "no_healthy_provider"
    message = "The sandbox that answers test keys does not run."
    advice = "Start the gateway with `manage.py up`, which starts the sandbox, too."
