"""Paired rounds of every case, in random order; medians, and ratios to the bare application."""

import asyncio
import gc
import random
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from bench import books, caching, deciding, planning, setting

ROUNDS = 9
CALLS = 400

Case = Callable[[], Awaitable[object]]


async def bare(scope: object, receive: setting.App, send: setting.App) -> None:
    """The least that an application can do: read the body, answer."""
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": setting.ANSWER})


class Took(NamedTuple):
    """Microseconds per call."""

    in_all: float  # of the process: with the shipper, which books beside the calls
    on_loop: float  # of the thread that serves calls


async def measure(case: Case) -> Took:
    for _ in range(20):
        await case()
    began, on_loop = time.process_time(), time.thread_time()
    for _ in range(CALLS):
        await case()
    in_all, on_loop = time.process_time() - began, time.thread_time() - on_loop
    return Took(in_all / CALLS * 1e6, on_loop / CALLS * 1e6)


async def main() -> None:
    from dataclasses import replace

    from gateway_project.asgi import application
    from routing import runtime

    key = await asyncio.to_thread(setting.provision)
    started = await runtime.start()
    whole = replace(started, pool=setting.CannedPool([setting.ANSWER]))  # type: ignore[arg-type]
    chunks = [setting.CHUNK] * setting.CHUNKS + [setting.STREAM_END]
    stream = replace(started, pool=setting.CannedPool(chunks))  # type: ignore[arg-type]
    path = "/v1/chat/completions"
    wish = b', "stream": true, "stream_options": {"include_usage": true}}'
    streamed = setting.REQUEST[:-1] + wish

    def case(app: setting.App, key: str, body: bytes, its: runtime.Runtime, at: str = path) -> Case:
        async def run() -> object:
            runtime._runtime = its
            return await setting.call(app, setting.scope(at, key), body)

        return run

    cases: dict[str, Case] = {
        "bare application": case(bare, key, setting.REQUEST, whole),
        "refused: unknown key": case(application, "flo2_live_typo", setting.REQUEST, whole),
        "chat, whole answer": case(application, key, setting.REQUEST, whole),
        "chat, 64 chunks": case(application, key, streamed, stream),
        "messages to openai": case(application, key, setting.MESSAGES, whole, "/v1/messages"),
        "messages, 64 chunks": case(
            application,
            key,
            setting.MESSAGES[:-1] + b', "stream": true}',
            stream,
            "/v1/messages",
        ),
    }
    limited = await asyncio.to_thread(setting.provision, books.TENANT)
    ledger = books.cases(await asyncio.to_thread(books.make_budgets))
    ledger["chat, 3 budgets"] = case(application, limited, setting.REQUEST, whole)
    await books.warm(ledger)
    cases |= ledger
    cases[caching.HIT] = await caching.hits(application, whole, path)
    sent = await cases["chat, whole answer"]()
    assert sent.status == 200, sent.written  # type: ignore[attr-defined]
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    figures: dict[str, list[float]] = {name: [] for name in cases}
    on_loop: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(ROUNDS):
        for name in random.sample(list(cases), len(cases)):
            took = await measure(cases[name])
            figures[name].append(took.in_all)
            on_loop[name].append(took.on_loop)
    report(figures, on_loop)
    caching.report(figures)
    deciding.report()
    planning.report()
    runtime._runtime = started
    await runtime.stop()


def report(figures: dict[str, list[float]], on_loop: dict[str, list[float]]) -> None:
    base = figures["bare application"]
    head = f"{'case':24s} {'µs':>8s} {'least':>8s} {'on the loop':>12s}"
    print(f"{head} {'× bare (median of rounds)':>28s}")
    for name, values in figures.items():
        ratio = statistics.median(v / b for v, b in zip(values, base, strict=True))
        took = f"{statistics.median(values):8.1f} {min(values):8.1f}"
        print(f"{name:24s} {took} {statistics.median(on_loop[name]):12.1f} {ratio:28.1f}")
    one_more("one more chunk", figures["chat, whole answer"], figures["chat, 64 chunks"])
    one_more("one more, translated", figures["messages to openai"], figures["messages, 64 chunks"])
    pairs = zip(figures["messages to openai"], figures["chat, whole answer"], strict=True)
    ratio = statistics.median(translated / passed for translated, passed in pairs)
    print(f"{'translated / passed on':24s} {ratio:8.2f}")
    limited = statistics.median(on_loop["books, 3 budgets"])
    print(f"{'books, 3 budgets':24s} {limited:8.2f} of {books.ALLOWED_US} µs allowed on the loop")


def one_more(name: str, whole: list[float], stream: list[float]) -> None:
    chunk = statistics.median((s - w) / setting.CHUNKS for s, w in zip(stream, whole, strict=True))
    print(f"{name:24s} {chunk:8.2f}")


if __name__ == "__main__":
    setting.set_up()
    asyncio.run(main())
