"""Typed doors to factory-boy's declarations, which come without annotations."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from factory import declarations
from factory.django import DjangoModelFactory

from accounts import tenancy

V = TypeVar("V")
T = TypeVar("T")


def sequence(make: Callable[[int], V]) -> V:
    return cast("V", declarations.Sequence(make))  # type: ignore[no-untyped-call]


def lazy(make: Callable[[], V]) -> V:
    return cast("V", declarations.LazyFunction(make))  # type: ignore[no-untyped-call]


def derived(make: Callable[[Any], V]) -> V:
    return cast("V", declarations.LazyAttribute(make))  # type: ignore[no-untyped-call]


def sub(factory: type[Any]) -> Any:
    return declarations.SubFactory(factory)  # type: ignore[no-untyped-call]


class ScopedFactory(DjangoModelFactory[T]):
    """Creates rows of any tenant: the scope is the system's."""

    class Meta:
        abstract = True

    @classmethod
    def _create(cls, model_class: type[T], *args: Any, **kwargs: Any) -> T:
        with tenancy.system_scope():
            return cast("T", super()._create(model_class, *args, **kwargs))  # type: ignore[no-untyped-call]
