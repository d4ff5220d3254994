"""What `balanced` costs: how well each candidate would answer a prompt, and the order of them."""

import gc
import random
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

PAIRS = Path(__file__).parents[1] / "tests/fixtures/routing/routellm_pairs.jsonl.gz"
PROMPTS = 2_000
MOST_US = (200.0, 1_000.0)  # of one decision among ten: median, 99th percentile


def report() -> None:
    """Prints microseconds of the process's own time, and whether they are within the limits."""
    from routing.chat import ChatRequest
    from routing.plan.candidates import Candidate
    from routing.plan.ranking import Ranking
    from routing.plan.strategies import balanced
    from routing.providers import catalog_index, prices
    from routing.scoring import training
    from routing.scoring.scorer import Scorer

    def request(text: str) -> ChatRequest:
        return ChatRequest(
            dialect="openai", body={"messages": [{"role": "user", "content": text}]}, model="auto",
            stream=False, wants_usage=False, max_tokens=None, needs=frozenset(), input_tokens=100,
            size=len(text),
        )  # fmt: skip

    today = datetime.now(UTC).date()
    pool = []
    for offer in catalog_index.current().auto:
        price = prices.listed(offer.provider.slug, offer.model_id, today=today)
        pool.append(Candidate(offer, None, price, float(price.rates.output) if price else None))
    texts = [pair.prompt for pair in training.read(PAIRS)]
    chats = [request(text) for text in random.Random(0).sample(texts, PROMPTS)]
    scorer, ten = Scorer(), pool[:: max(1, len(pool) // 10)][:10]
    cases: dict[str, Callable[[ChatRequest], object]] = {
        "score, 10 candidates": lambda chat: scorer.qualities(ten, chat),
        "balanced, 10 candidates": lambda chat: balanced.rank(
            ten, Ranking(chat=chat, scorer=scorer)
        ),
        f"balanced, {len(pool)} candidates": lambda chat: balanced.rank(
            pool, Ranking(chat=chat, scorer=scorer)
        ),
    }
    gc.collect()
    print(f"{'decision':24s} {'µs p50':>8s} {'µs p99':>8s}")
    for number, (name, decide) in enumerate(cases.items()):
        median, late = _measured(decide, chats)
        over = number < 2 and (median > MOST_US[0] or late > MOST_US[1])
        print(f"{name:24s} {median:8.0f} {late:8.0f}{'  over the limit' if over else ''}")


def _measured(decide: Callable[[Any], object], chats: list[Any]) -> tuple[float, float]:
    """The median and the 99th percentile, after every prompt was seen once."""
    figures = []
    for chat in chats:
        decide(chat)
    for chat in chats:
        began = time.thread_time_ns()
        decide(chat)
        figures.append((time.thread_time_ns() - began) / 1000)
    return statistics.median(figures), statistics.quantiles(figures, n=100)[98]
