"""Worked out once for an object, and for no other one that looks the same."""

from accounts.by_identity import by_identity


def test_an_object_is_worked_on_once_and_its_equal_is_another_one() -> None:
    worked: list[list[int]] = []

    @by_identity(10)
    def length(of: list[int]) -> int:
        worked.append(of)
        return len(of)

    one, other = [1, 2], [1, 2]

    assert [length(one), length(one), length(other)] == [2, 2, 2]
    assert [id(its) for its in worked] == [id(one), id(other)]


def test_no_more_are_remembered_than_may_be_and_none_is_mistaken() -> None:
    worked: list[int] = []

    @by_identity(2)
    def first(of: list[int]) -> int:
        worked.append(of[0])
        return of[0]

    every = [[number] for number in range(3)]
    found = [first(its) for its in (*every, every[2], every[0])]

    assert found == [0, 1, 2, 2, 0]
    assert worked == [0, 1, 2, 0]  # the third made room, and stayed


def test_an_object_that_is_gone_leaves_nothing_to_the_next_one_in_its_place() -> None:
    @by_identity(10_000)
    def first(of: list[int]) -> int:
        return of[0]

    assert [first([number]) for number in range(1000)] == list(range(1000))
