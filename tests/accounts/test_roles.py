"""Who may do what: the whole table, so that no right is given by accident."""

import pytest

from accounts.roles import RIGHTS, Right, Role, has_right

TABLE = """
                 owner  admin  member  viewer
view             yes    yes    yes     yes
call             yes    yes    yes     -
manage_keys      yes    yes    yes     -
manage_routing   yes    yes    yes     -
manage_people    yes    yes    -       -
manage_tenant    yes    yes    -       -
own              yes    -      -       -
"""
ROLES, *ROWS = [line.split() for line in TABLE.strip().splitlines()]
CELLS = [
    (role, right, cell == "yes")
    for right, *cells in ROWS
    for role, cell in zip(ROLES, cells, strict=True)
]


@pytest.mark.parametrize(("role", "right", "allowed"), CELLS)
def test_a_role_has_the_rights_of_the_table(role: str, right: str, allowed: bool) -> None:
    assert has_right(role, Right(right)) is allowed


def test_the_table_knows_every_role_and_every_right() -> None:
    assert {role for role, _, _ in CELLS} == set(Role.values) == {role.value for role in RIGHTS}
    assert {right for _, right, _ in CELLS} == set(Right.values)


def test_a_role_that_does_not_exist_has_no_right() -> None:
    with pytest.raises(ValueError, match="root"):
        has_right("root", Right.VIEW)
