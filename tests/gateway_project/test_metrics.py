"""What Prometheus is told: summed over processes, without tenants and keys, not for strangers."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from billing.deltas import Booked
from billing.usage import Usage
from gateway_project import metrics
from tests.factories.billing import AttemptEndedFactory, CallOpenedFactory, CallSettledFactory
from tests.journeys.conftest import MESSAGES, Caller, new_caller
from tests.servers.gateway import Gateway, wait_for

USED = Usage(input_uncached=1000, output_visible=500)


def booked(**settled: Any) -> Booked:
    opened = CallOpenedFactory.build(mode="live", endpoint="chat")
    lost = AttemptEndedFactory.build(
        call=opened.call,
        number=1,
        provider="groq",
        outcome="lost",
        cost=Decimal("0.001"),
        usage=USED,
    )
    won = AttemptEndedFactory.build(
        call=opened.call, number=2, provider="cerebras", cost=Decimal("0.002"), usage=USED,
        started_ms=100, first_token_ms=160,
    )  # fmt: skip
    end = CallSettledFactory.build(call=opened.call, latency_ms=700, overhead_us=900, **settled)
    return Booked(opened, end, (lost, won))


def read(folder: Path) -> dict[tuple[str, frozenset[str]], float]:
    """Each sample by its name and its labels' values."""
    text = metrics.render(folder).decode()
    return {
        (sample.name, frozenset(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_the_sums_of_all_processes_are_added(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for pid, calls in ((11, 2), (12, 3)):
        monkeypatch.setattr("gateway_project.metrics.os.getpid", lambda pid=pid: pid)
        process = metrics.Process(tmp_path)
        for _ in range(calls):
            process.note([booked()])

    found = read(tmp_path)

    calls_by = frozenset({"live", "user", "chat", "succeeded", "off"})
    assert found["flo2_calls_total", calls_by] == 5
    assert found["flo2_tokens_total", frozenset({"live", "groq", "input"})] == 5000
    assert found["flo2_cost_usd_total", frozenset({"live", "cerebras"})] == pytest.approx(0.01)
    assert found["flo2_call_seconds_count", frozenset({"live", "no"})] == 5
    assert found["flo2_call_seconds_sum", frozenset({"live", "no"})] == pytest.approx(3.5)
    assert found["flo2_call_seconds_bucket", frozenset({"live", "no", "0.5"})] == 0
    assert found["flo2_call_seconds_bucket", frozenset({"live", "no", "1.0"})] == 5
    assert found["flo2_first_token_seconds_bucket", frozenset({"live", "cerebras", "+Inf"})] == 5


def test_what_is_taken_back_does_not_count(tmp_path: Path) -> None:
    process = metrics.Process(tmp_path)
    process.note([booked()._replace(sign=-1)])

    assert not [name for name, _ in read(tmp_path) if name.startswith("flo2_calls")]


def test_a_file_that_cannot_be_read_hides_no_other(tmp_path: Path) -> None:
    metrics.Process(tmp_path).note([booked()])
    (tmp_path / "9.sums").write_bytes(b"cut off")

    assert any(name == "flo2_calls_total" for name, _ in read(tmp_path))


@pytest.mark.parametrize(
    ("token", "peer", "headers", "may"),
    [
        ("", "127.0.0.1", {}, True),
        ("", "::1", {}, True),
        ("", "203.0.113.9", {}, False),
        ("", "127.0.0.1", {b"x-forwarded-for": b"203.0.113.9"}, False),  # a proxy's client
        ("secret", "203.0.113.9", {b"authorization": b"Bearer secret"}, True),
        ("secret", "203.0.113.9", {b"authorization": b"Bearer secre"}, False),
        ("secret", "127.0.0.1", {}, False),
    ],
)
def test_who_may_read(
    settings: Any, token: str, peer: str, headers: dict[bytes, bytes], may: bool
) -> None:
    settings.FLO2_METRICS_TOKEN = token

    assert metrics.may_read(peer, headers) is may


def test_a_call_is_counted_over_http(gateway: Gateway) -> None:
    caller: Caller = new_caller(gateway)

    def calls() -> float:
        with gateway.client("") as http:
            answer = http.get("/metrics")
        assert answer.status_code == 200
        assert caller.tenant.pk.hex not in answer.text
        families = text_string_to_metric_families(answer.text)
        samples = [sample for family in families for sample in family.samples]
        return sum(
            sample.value
            for sample in samples
            if sample.name == "flo2_calls_total" and sample.labels["mode"] == "test"
        )

    before = calls()
    caller.openai().chat.completions.create(model="auto", messages=MESSAGES)

    wait_for(lambda: calls() == before + 1, "the call is counted")
