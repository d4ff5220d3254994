"""Typed readers of the environment. Each variable NAME may also be given as a file: NAME_FILE."""

import os
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

from accounts import whole_numbers
from accounts.whole_numbers import NotAWholeNumber

LARGEST = 10**15
TRUE, FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off", ""}


def text(name: str, default: str = "") -> str:
    """The value of NAME, or the stripped content of the file that NAME_FILE names.

    Blanks alone are no value.
    """
    if (value := os.environ.get(name, "")).strip():
        return value
    if file := os.environ.get(f"{name}_FILE"):
        try:
            return Path(file).read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ImproperlyConfigured(f"{name}_FILE cannot be read: {error}") from error
    return default


def take_from_files(*beginnings: str) -> None:
    """Set what NAME_FILE gives of the variables that begin so and are read later, by others."""
    for name in [name.removesuffix("_FILE") for name in os.environ if name.endswith("_FILE")]:
        if name.startswith(beginnings):
            os.environ[name] = text(name)


def flag(name: str, *, default: bool = False) -> bool:
    value = text(name, "1" if default else "0").lower()
    if value in TRUE | FALSE:
        return value in TRUE
    raise ImproperlyConfigured(f"{name} must be 1 or 0, not {value!r}.")


def integer(name: str, default: int, *, at_least: int = 0, at_most: int = LARGEST) -> int:
    value = text(name, str(default))
    try:
        return whole_numbers.read(value, least=at_least, most=at_most)
    except NotAWholeNumber:
        raise ImproperlyConfigured(
            f"{name} must be a whole number from {at_least} to {at_most}, not {value!r}."
        ) from None


def choice(name: str, options: tuple[str, ...]) -> str:
    """One of the options; the first one is the default."""
    value = text(name, options[0])
    if value in options:
        return value
    raise ImproperlyConfigured(f"{name} must be one of {', '.join(options)}, not {value!r}.")


def words(name: str, default: str = "") -> list[str]:
    """A comma-separated list, without blanks."""
    return [word.strip() for word in text(name, default).split(",") if word.strip()]


def hosts(name: str, default: str) -> list[str]:
    """Names or addresses of hosts, without scheme, port and path."""
    found = words(name, default)
    for host in found:
        if "/" in host or (":" in host and not host.startswith("[")):
            raise ImproperlyConfigured(
                f"{name} must be hosts such as llm.example.com, not {host!r}."
            )
    return found


def origins(name: str) -> list[str]:
    """Scheme, host and port each, without a path."""
    found = words(name)
    for origin in found:
        scheme, _, host = origin.partition("://")
        if scheme not in {"http", "https"} or not host or set(host) & set("/?#@ "):
            raise ImproperlyConfigured(
                f"{name} must be origins such as https://llm.example.com, not {origin!r}."
            )
    return found


def networks(name: str) -> list[str]:
    """Addresses and networks of IPv4 and IPv6."""
    found = words(name)
    for network in found:
        try:
            ip_network(network, strict=False)
        except ValueError:
            raise ImproperlyConfigured(
                f"{name} must be networks such as 10.0.0.0/8, not {network!r}."
            ) from None
    return found


def address(name: str, schemes: tuple[str, ...], default: str = "") -> str:
    """A URL of one of the schemes, or nothing. It is in no message: it may hold a password."""
    url = text(name, default)
    try:
        is_right = not url or (urlsplit(url).scheme in schemes and urlsplit(url).port != 0)
    except ValueError:
        is_right = False
    if not is_right:
        begins = " or ".join(f"{scheme}://" for scheme in schemes)
        raise ImproperlyConfigured(f"{name} must be a whole URL that begins with {begins}.")
    return url


def database(name: str, default: str) -> dict[str, Any]:
    """Django's settings of a database URL; `?host=/run/dir` names a socket folder."""
    url = address(name, ("postgres", "postgresql", "sqlite"), default)
    config: dict[str, Any] = environ.Env.db_url_config(url)
    return config


def email(name: str) -> dict[str, Any]:
    """Django's mail settings of an EMAIL_URL such as `smtp+tls://user:secret@host:587`."""
    url = address(name, tuple(environ.Env.EMAIL_SCHEMES))
    return dict(environ.Env.email_url_config(url)) if url else {}
