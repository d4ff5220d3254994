"""The end of a chain in which no candidate answered, as the caller is told."""

import math
from collections.abc import Sequence
from typing import Any

from accounts.errors import GatewayError
from routing.plan.candidates import Excluded
from routing.upstream.failures import Failure, FailureKind

# What the caller is told when the chain ends with a failure of this kind: (status, code).
_ENDS = {
    FailureKind.AUTH: (424, "provider_key_rejected"),
    FailureKind.BILLING: (402, "provider_credit_exhausted"),
    FailureKind.PERMISSION: (424, "provider_key_rejected"),
    FailureKind.MODEL_MISSING: (404, "model_not_found"),
    FailureKind.CONTEXT: (400, "context_length_exceeded"),
    FailureKind.RATE_LIMIT: (429, "provider_rate_limited"),
    FailureKind.TIMEOUT: (504, "provider_timeout"),
}
_CALLER_CODES = {400: "invalid_request", 422: "unprocessable"}
_CALLERS = frozenset({FailureKind.PARAM, FailureKind.POLICY, FailureKind.CALLER})


class AllFailed(GatewayError):
    """No candidate answered. `failures` are (provider/model, failure) in the order they came."""

    def __init__(self, failures: list[tuple[str, Failure]]) -> None:
        self.failures = failures
        self.target, self.failure = _deciding(failures)
        self.ending_status, self.ending_code = _ending(self.failure)
        super().__init__(self._text())

    @property
    def http_status(self) -> int:
        return self.ending_status

    @property
    def error_code(self) -> str:
        return self.ending_code

    @property
    def headers(self) -> dict[str, str]:
        if self.ending_status not in {429, 503}:
            return {}
        waits = [f.retry_after_s for _, f in self.failures if f.retry_after_s is not None]
        return {"retry-after": str(max(1, round(min(waits, default=1.0))))}

    @property
    def details(self) -> dict[str, Any]:
        provider, _, model = self.target.partition("/")
        return {
            "source": "provider",
            "param": self.failure.param,
            "provider": provider,
            "model": model,
            "provider_status": self.failure.status,
            "provider_message": self.failure.message,
            "attempts": [
                {"target": target, "outcome": failure.kind, "status": failure.status}
                for target, failure in self.failures
            ],
        }

    def _text(self) -> str:
        provider = self.target.partition("/")[0]
        if self.failure.kind in _CALLERS:
            return self.failure.message
        tried = f" after {len(self.failures)} attempts" if len(self.failures) > 1 else ""
        said = f"{provider}: {self.failure.message}"
        return f"{_SAYS.get(self.ending_code, 'The provider failed')}{tried}. {said}"


_SAYS = {
    "provider_key_rejected": "The provider refused your key; check it on the Providers page",
    "provider_credit_exhausted": "Your account at the provider is out of credit",
    "provider_rate_limited": "The provider's rate limit is reached",
    "provider_timeout": "The provider did not answer in time",
    "model_not_found": "The provider does not have this model, or not for your key",
    "context_length_exceeded": "The request is too long for the model",
    "no_healthy_provider": "No provider is healthy",
}


class NoHealthyProvider(AllFailed):
    """All candidates rest after failures, and the one that was tried all the same failed again."""

    def __init__(self, failures: list[tuple[str, Failure]], resting: Sequence[Excluded]) -> None:
        self._resting = [out for out in resting if out.code == "breaker_open"]
        super().__init__(failures)
        self.ending_status, self.ending_code = 503, "no_healthy_provider"

    @property
    def headers(self) -> dict[str, str]:
        wait = min((out.reopens_in_s for out in self._resting), default=1.0)
        return {"retry-after": str(max(1, math.ceil(wait)))}

    def _text(self) -> str:
        named = [f"{out.provider}/{out.model} is {out.detail}" for out in self._resting]
        said = f"{self.target} was tried all the same: {self.failure.message}"
        return "; ".join([f"{_SAYS['no_healthy_provider']}. {said}", *named])


def _deciding(failures: list[tuple[str, Failure]]) -> tuple[str, Failure]:
    """A caller's fault decides; rate limits mixed with empty accounts say 429; else the last."""
    kinds = {failure.kind for _, failure in failures}
    if kinds == {FailureKind.RATE_LIMIT, FailureKind.BILLING}:
        return next(item for item in failures if item[1].kind is FailureKind.RATE_LIMIT)
    return next((item for item in failures if item[1].kind in _CALLERS), failures[-1])


def _ending(failure: Failure) -> tuple[int, str]:
    if failure.kind in _CALLERS:
        status = failure.status or 400
        return status, _CALLER_CODES.get(status, "invalid_request")
    return _ENDS.get(failure.kind, (502, "provider_error"))
