"""The scorer as the plan asks it, and what a tenant's knowledge changes."""

import os
import subprocess
import sys
from typing import Any

import pytest

from routing.plan.candidates import Candidate
from routing.plan.ranking import Measured
from routing.providers import loader
from routing.providers.catalog_index import Catalog, Offer
from routing.scoring import features
from routing.scoring.learned import Knowledge
from routing.scoring.scorer import Scorer
from tests.routing.plan.builders import chat, price

CATALOG = Catalog(loader.load_all())
EASY = "Which one is a colour?\nA. red\nB. seven\nC. run\nD. loudly\nAnswer:"
HARD = "Solve the integral of x^2 and compute the probability = 3 * 4, then prove the theorem."


def of(*names: str) -> list[Candidate]:
    return [Candidate(CATALOG.offers(name)[0], None, None, None) for name in names]


def asking(text: str, **body: Any) -> Any:
    return chat(body={"messages": [{"role": "user", "content": text}], **body})


POOL = of("claude-opus-5-5", "gpt-oss-120b", "llama-3.1-8b")


def test_without_labels_models_stand_as_their_priors_say() -> None:
    best, middle, least = Scorer().qualities(POOL, asking("Hello"))
    assert best == 0.86
    assert middle == pytest.approx(0.86 - 0.9 * 0.12)
    assert least == pytest.approx(0.86 - 0.9 * 0.31)


def test_a_harder_task_widens_the_gap() -> None:
    gaps = {}
    for text in ("Translate: guten Tag", "Hello", "Write a Python function"):
        best, _, least = Scorer().qualities(POOL, asking(text))
        gaps[text] = best - least
    assert sorted(gaps, key=gaps.__getitem__) == list(gaps)


def test_tools_and_json_decide_before_the_text() -> None:
    scorer = Scorer()
    assert scorer.task(asking("Solve 3x = 12", tools=[{}])) == "agent"
    assert scorer.task(asking("Hello", response_format={"type": "json_object"})) == "extract"
    assert scorer.task(asking(EASY)) == "choice"


def test_where_the_prompt_misleads_only_the_task_counts() -> None:
    one = Scorer().qualities(POOL, asking("Hello"))
    assert Scorer().qualities(POOL, asking("Why, oh why (and who, and when, and what?)")) == one


def test_alone_or_among_equals_a_model_keeps_what_is_known_of_it() -> None:
    assert Scorer().quality(POOL[1], asking(HARD)) == 0.74
    assert Scorer().qualities([POOL[1]] * 3, asking(HARD)) == [0.74] * 3
    assert Scorer().qualities([], asking(HARD)) == []


def test_a_model_that_no_catalogue_knows_is_taken_by_its_price() -> None:
    unknown = Offer(CATALOG.providers["groq"], "brand-new", None)
    candidate = Candidate(unknown, None, price("1", "10"), None)
    assert Scorer().quality(candidate, asking("Hello")) == pytest.approx(0.76)


def test_what_a_tenant_learned_stands_before_the_prior() -> None:
    known = Knowledge(overall={"llama-3.1-8b": 0.9}, by_task={"maths": {"llama-3.1-8b": 0.5}})
    scorer = Scorer(known)
    assert scorer.quality(POOL[2], asking("Hello")) == 0.9
    assert scorer.quality(POOL[2], asking("How many?")) == 0.5


def test_labels_of_a_task_replace_what_was_assumed_of_it() -> None:
    pool = POOL[::2]
    usual, counted = (
        Scorer(Knowledge(labels=labels)).qualities(pool, asking("Translate: guten Tag"))
        for labels in ({}, {"translate": 10_000.0})
    )
    assert usual[0] - usual[1] == pytest.approx(0.7 * 0.31)
    assert counted[0] - counted[1] == pytest.approx(0.31, abs=0.001)


def test_words_move_the_gap_by_their_part_of_it_and_never_more_than_the_limit() -> None:
    request = asking("Tell me of rivers")
    buckets = dict(features.hashed(features.window("Tell me of rivers")))
    plain = Scorer().qualities(POOL, request)
    slightly = Scorer(Knowledge(words={next(iter(buckets)): 0.1})).qualities(POOL, request)
    much = Scorer(Knowledge(words=dict.fromkeys(buckets, 50.0))).qualities(POOL, request)
    moved = 0.1 * next(iter(buckets.values()))
    assert slightly == pytest.approx([plain[0], plain[1] - moved * 0.12 / 0.31, plain[2] - moved])
    assert much == pytest.approx([plain[0], plain[1] - 0.3 * 0.12 / 0.31, plain[2] - 0.3])


def test_what_was_measured_is_told_of_models_whoever_offers_them() -> None:
    its = Measured("gpt-oss-120b", 40.0, 0.9)
    known = Knowledge(measured={"chat": {"llama-3.1-8b": its}})
    assert Scorer(known).measured(POOL, asking("Hello")) == [None, None, its]
    assert Scorer(known).measured(POOL, asking("Write a poem")) == [None] * 3
    assert Scorer().measured(POOL, asking("Hello")) == [None] * 3


def test_scoring_needs_no_library_of_machine_learning() -> None:
    """What importing the scorer brings along, seen in a process of its own."""
    code = (
        "import sys, django; django.setup();"
        "import routing.scoring.scorer, routing.plan.strategies.balanced;"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"},
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(done.stdout.split())
    learning = {"numpy", "scipy", "sklearn", "torch", "tensorflow", "jax", "xgboost", "lightgbm",
                "onnxruntime", "transformers", "pandas"}  # fmt: skip
    assert "routing" in loaded
    assert loaded & learning == set()
