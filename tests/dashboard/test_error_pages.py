"""Pages for what went wrong."""

import pytest
from django.template.loader import render_to_string
from django.test import Client

from tests.dashboard.reading import text


@pytest.mark.django_db
def test_what_is_not_there_says_where_to_go(client: Client) -> None:
    answer = client.get("/nothing/")

    assert answer.status_code == 404
    assert "There is nothing here" in text(answer)


@pytest.mark.django_db
def test_a_form_without_its_token_is_explained() -> None:
    answer = Client(enforce_csrf_checks=True).post("/accounts/login/", {"login": "a"})

    assert answer.status_code == 403
    assert "This form has expired" in text(answer)


def test_the_page_for_our_own_failures_needs_nothing_that_may_have_failed() -> None:
    page = render_to_string("500.html")

    assert "Something broke on our side" in page
    assert "{{" not in page


def test_the_browser_finds_an_icon(client: Client) -> None:
    assert client.get("/favicon.ico")["Location"].startswith("/static/img/favicon.svg")
