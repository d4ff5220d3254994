"""What must be right before a production start; each problem is one sentence."""

from collections.abc import Iterator

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from accounts import tokens, vault
from gateway_project import env, secrets_file
from routing.providers import loader
from routing.upstream import endpoints


def problems() -> Iterator[str]:
    """Why this installation must not start, naming the variable."""
    yield from _secret_problems()
    yield from _address_problems()
    if not settings.FLO2_DEMO:
        yield from _borrowed_secrets()


def _secret_problems() -> Iterator[str]:
    if len(_secret_key()) < 40 or len(set(_secret_key())) < 10:
        yield "SECRET_KEY is missing or weak: give it 50 random characters."
    for read in (
        lambda: vault.master_keys(settings.FLO2_MASTER_KEYS),
        lambda: tokens.peppers(settings.FLO2_KEY_PEPPERS),
    ):
        try:
            read()
        except (vault.MasterKeyProblem, tokens.PepperProblem) as problem:
            yield str(problem)


def _secret_key() -> str:
    try:
        return settings.SECRET_KEY
    except ImproperlyConfigured:  # Django does not hand out an empty one
        return ""


def _address_problems() -> Iterator[str]:
    known = loader.load_all().values()
    yield from endpoints.override_problems([one.slug for one in known if not one.has_own_url])


def _borrowed_secrets() -> Iterator[str]:
    """The secrets of `make run` lie beside the data they protect: not for production."""
    borrowed = secrets_file.read(settings.FLO2_DATA_DIR)
    for name in borrowed:
        if not env.text(name):
            yield f"{name} is not set: a production start does not use the demo's own."
