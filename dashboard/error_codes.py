"""The error codes of the gateway API, as `/docs/errors/` explains them (contract §4)."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ErrorCode:
    status: int
    code: str
    means: str
    remedy: str


ERROR_CODES = (
    ErrorCode(
        400,
        "invalid_request",
        "The request cannot be understood, or a value in it is not allowed. `param` names the "
        "field. When the provider refused it, its own words are in the message.",
        "Correct the field. Sending the same request again does not help.",
    ),
    ErrorCode(
        400,
        "unknown_option",
        "An `x-flo2-…` header, or a field of `provider`, that this gateway does not know.",
        "Check the spelling on the options page. Options are never ignored in silence.",
    ),
    ErrorCode(
        400,
        "context_length_exceeded",
        "The prompt and the wanted answer do not fit into the context of any model that could "
        "serve the request.",
        "Send less, lower max_tokens, or name a model with a larger context.",
    ),
    ErrorCode(
        401,
        "invalid_api_key",
        "The gateway key is missing, mistyped, revoked or unknown.",
        "Send `Authorization: Bearer flo2_…` with a key from the Keys page.",
    ),
    ErrorCode(
        402,
        "budget_exceeded",
        "A limit on money is reached: the request's own ceiling (`x-flo2-max-cost` or "
        "`max_price`), or a budget. The message names scope, limit and what was spent.",
        "Raise the limit, choose a cheaper model, or wait until the limit resets.",
    ),
    ErrorCode(
        402,
        "price_unknown",
        "A limit on money applies, and the price of the model is not known, so the limit could "
        "not be kept.",
        "Drop the limit, name a model with a known price, or ask the operator to set its price.",
    ),
    ErrorCode(
        402,
        "provider_credit_exhausted",
        "Your accounts at all providers that could serve the request are out of credit.",
        "Add credit at the provider, then verify the key on the Providers page.",
    ),
    ErrorCode(
        403,
        "tenant_suspended",
        "The operator of this gateway has suspended your account.",
        "Ask the operator why. The reason is shown in the dashboard.",
    ),
    ErrorCode(
        403,
        "model_not_allowed",
        "The gateway key, or the request's own `provider.only` and `ignore`, leave out this model.",
        "Use another key, or create one whose allowed models include it.",
    ),
    ErrorCode(
        403,
        "address_not_allowed",
        "The gateway key may only be used from certain networks, and the request came from "
        "elsewhere.",
        "Call from an allowed network, or create a key for this one.",
    ),
    ErrorCode(
        403,
        "key_expired",
        "The last day of the gateway key is over.",
        "Create a new key, or roll this one, on the Keys page.",
    ),
    ErrorCode(
        404,
        "model_not_found",
        "No provider of this gateway knows the model. Similar names are in the message.",
        "List what your key can call with GET /v1/models.",
    ),
    ErrorCode(
        404,
        "not_found",
        "There is nothing at this path, or no call of this key with that id. For a path, the "
        "message names the right base URL.",
        "Check the base URL: OpenAI clients use the one that ends in /v1.",
    ),
    ErrorCode(
        405,
        "method_not_allowed",
        "The path exists and does not take this HTTP method.",
        "Calls are POST, lists and records are GET.",
    ),
    ErrorCode(
        408,
        "request_timeout",
        "The request's head or body came too slowly.",
        "Send it again. A long upload over a slow line needs a smaller body.",
    ),
    ErrorCode(
        409,
        "idempotency_conflict",
        "An `Idempotency-Key` was used again: with another body, while its first call runs, or"
        " after an answer that was not kept. The message names the first call.",
        "Use a new Idempotency-Key for each request; wait for a call that still runs.",
    ),
    ErrorCode(
        413,
        "payload_too_large",
        "The body is larger than 20 MB.",
        "Send less, or send images by URL.",
    ),
    ErrorCode(
        415,
        "unsupported_encoding",
        "The body is compressed.",
        "Send it without Content-Encoding.",
    ),
    ErrorCode(
        422,
        "unprocessable",
        "The provider understood the request and could not process it. Its own words are in the "
        "message.",
        "Change the request as the message says.",
    ),
    ErrorCode(
        424,
        "no_provider_key",
        "You have no key at any provider that serves this model. The message names them.",
        "Paste a key on the Providers page, or name a model of a provider whose key you have.",
    ),
    ErrorCode(
        424,
        "provider_key_rejected",
        "The provider refused your key. It is marked on the Providers page.",
        "Replace the key there, or enable it again.",
    ),
    ErrorCode(
        429,
        "rate_limit_exceeded",
        "A limit of this gateway on requests or tokens is reached. `retry-after` says when to "
        "come back.",
        "Wait that long, or spread the calls.",
    ),
    ErrorCode(
        429,
        "provider_rate_limited",
        "All providers that could serve the request answered that your rate limit there is "
        "reached.",
        "Wait as `retry-after` says, or add a key of another provider.",
    ),
    ErrorCode(
        431,
        "headers_too_large",
        "The headers are larger than 32 KB, or more than 100.",
        "Send fewer and shorter headers.",
    ),
    ErrorCode(
        499,
        "client_cancelled",
        "Your program hung up before the answer was complete. Nobody reads this error: it "
        "stands on the call's page, with what the call cost until then.",
        "Raise the timeout of your client if this was not intended.",
    ),
    ErrorCode(
        502,
        "provider_error",
        "Every provider that was tried failed. The error lists each attempt with its status.",
        "Try again. The call's page shows what each provider said.",
    ),
    ErrorCode(
        503,
        "no_healthy_provider",
        "No provider can be asked at the moment; for a test key: the sandbox does not run.",
        "Try again shortly. For test keys, start the gateway with `manage.py up`.",
    ),
    ErrorCode(
        503,
        "ledger_unavailable",
        "The gateway cannot write its books, so it makes no calls: none may be lost.",
        "Try again shortly. The operator sees the reason on /readyz.",
    ),
    ErrorCode(
        503,
        "overloaded",
        "The gateway has too many calls in flight, or cannot check the key at the moment.",
        "Try again as `retry-after` says.",
    ),
    ErrorCode(
        504,
        "provider_timeout",
        "No provider answered in time.",
        "Raise `x-flo2-timeout-ms`, or name a faster model.",
    ),
)
