"""What a request may hold that makes its answer depend on more than the request."""

import pytest

from routing.cache import fingerprint, verdict


def why_not(content: object) -> str:
    return verdict.unfit_content(fingerprint.canonical([{"role": "user", "content": content}]))


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": "https://example.org/cat.png"}},
        {"type": "image_url", "image_url": {"url": "HTTP://EXAMPLE.ORG/cat.png"}},
        {"type": "image_url", "image_url": {"url": " https://example.org/cat.png"}},
        {"type": "image_url", "image_url": {"url": "\nhttps://example.org/cat.png"}},
        {"type": "image_url", "image_url": {"url": "//example.org/cat.png"}},
        {"type": "image_url", "image_url": {"url": "gs://bucket/cat.png"}},
        {"type": "image", "source": {"type": "url", "url": "Https://example.org/cat.png"}},
        {"type": "input_image", "image_url": "hTTps://example.org/cat.png"},
        {"type": "input_file", "file_url": "FTP://example.org/a.pdf"},
        {"type": "input_file", "file_id": "file-1"},
    ],
    ids=str,
)
def test_what_points_outside_the_request_is_not_kept(part: object) -> None:
    assert "outside the request" in why_not([part])


@pytest.mark.parametrize(
    "content",
    [
        "Read https://example.org/ for me",
        'Write {"url":"https://example.org/"} as YAML',
        [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}],
        [{"type": "image_url", "image_url": {"url": "DATA:image/png;base64,AAAA"}}],
        [{"type": "tool_use", "input": {"url": "the first one"}}],
    ],
    ids=str,
)
def test_what_a_request_holds_itself_may_be_kept(content: object) -> None:
    assert why_not(content) == ""
