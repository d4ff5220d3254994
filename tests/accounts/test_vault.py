"""What is sealed opens for its own tenant, use and row, and for nothing else."""

import base64
import os
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts import ids, vault
from accounts.vault import MasterKeyProblem, MasterKeys, SealBroken

OLD, NEW = bytes(range(32)), bytes(range(100, 132))
MASTERS = MasterKeys({"old": OLD})
TENANT, STRANGER = ids.new(), ids.new()
DATA_KEY = os.urandom(32)
USE, ROW = b"provider-key", b"row 1"


def sealed(plain: bytes = b"sk-secret") -> bytes:
    return vault.seal(plain, data_key=DATA_KEY, tenant=TENANT, use=USE, row=ROW)


def opened(
    value: bytes,
    *,
    data_key: bytes = DATA_KEY,
    tenant: UUID = TENANT,
    use: bytes = USE,
    row: bytes = ROW,
) -> bytes:
    return vault.open_sealed(value, data_key=data_key, tenant=tenant, use=use, row=row)


@given(st.binary(max_size=5000), st.binary(max_size=40), st.uuids())
def test_what_is_sealed_opens_again(plain: bytes, row: bytes, tenant: UUID) -> None:
    value = vault.seal(plain, data_key=DATA_KEY, tenant=tenant, use=USE, row=row)

    assert opened(value, tenant=tenant, row=row) == plain


def test_a_sealed_value_does_not_show_what_it_holds_and_never_looks_the_same() -> None:
    one, other = sealed(b"sk-secret" * 4), sealed(b"sk-secret" * 4)

    assert b"sk-" not in one + other
    assert one[1:13] != other[1:13]
    assert one[13:] != other[13:]


def test_a_byte_flipped_anywhere_is_noticed() -> None:
    value = sealed()
    for place in range(len(value)):
        for bit in range(8):
            changed = bytearray(value)
            changed[place] ^= 1 << bit
            with pytest.raises(SealBroken):
                opened(bytes(changed))


def test_a_value_cut_short_or_lengthened_is_noticed() -> None:
    value = sealed()
    for size in range(len(value)):
        with pytest.raises(SealBroken):
            opened(value[:size])
    with pytest.raises(SealBroken):
        opened(value + b"\x00")


@pytest.mark.parametrize(
    "moved",
    [
        {"row": b"row 2"},
        {"row": b""},
        {"tenant": STRANGER},
        {"use": b"webhook"},
        {"data_key": os.urandom(32)},
    ],
)
def test_a_value_opens_only_where_it_was_sealed(moved: dict[str, bytes]) -> None:
    with pytest.raises(SealBroken) as refusal:
        opened(sealed(), **moved)  # type: ignore[arg-type]

    assert "secret" not in str(refusal.value)


def test_where_tenant_ends_and_row_begins_cannot_be_shifted() -> None:
    value = vault.seal(b"x", data_key=DATA_KEY, tenant=TENANT, use=b"a", row=b"b")

    for use, row in [(b"ab", b""), (b"a\x00", b"b"), (b"", b"ab"), (b"a", b"\x00b")]:
        with pytest.raises(SealBroken):
            opened(value, use=use, row=row)


def test_each_use_of_a_data_key_has_a_key_of_its_own() -> None:
    uses = [b"provider-key", b"webhook", b"content", b""]

    derived = {vault._derived(DATA_KEY, use) for use in uses}

    assert len(derived) == len(uses)
    assert DATA_KEY not in derived


class TestDataKeys:
    def test_a_data_key_opens_for_its_tenant(self) -> None:
        wrapped = vault.wrap(DATA_KEY, tenant=TENANT, masters=MASTERS)

        assert vault.unwrap(wrapped, tenant=TENANT, masters=MASTERS) == DATA_KEY
        assert DATA_KEY not in wrapped
        assert vault.wrapped_with(wrapped) == "old"

    def test_a_new_data_key_is_random(self) -> None:
        keys = {
            vault.unwrap(
                vault.new_data_key(tenant=TENANT, masters=MASTERS), tenant=TENANT, masters=MASTERS
            )
            for _ in range(20)
        }
        assert len(keys) == 20
        assert {len(key) for key in keys} == {32}

    def test_it_does_not_open_for_another_tenant(self) -> None:
        wrapped = vault.wrap(DATA_KEY, tenant=TENANT, masters=MASTERS)

        with pytest.raises(SealBroken):
            vault.unwrap(wrapped, tenant=STRANGER, masters=MASTERS)

    def test_it_does_not_open_with_another_master_key_of_the_same_name(self) -> None:
        wrapped = vault.wrap(DATA_KEY, tenant=TENANT, masters=MASTERS)

        with pytest.raises(SealBroken):
            vault.unwrap(wrapped, tenant=TENANT, masters=MasterKeys({"old": NEW}))

    def test_a_master_key_that_is_gone_is_named(self) -> None:
        wrapped = vault.wrap(DATA_KEY, tenant=TENANT, masters=MASTERS)

        with pytest.raises(MasterKeyProblem, match=r"FLO2_MASTER_KEYS has no key 'old'"):
            vault.unwrap(wrapped, tenant=TENANT, masters=MasterKeys({"new": NEW}))

    def test_a_byte_flipped_anywhere_is_noticed(self) -> None:
        wrapped = vault.wrap(DATA_KEY, tenant=TENANT, masters=MASTERS)
        for place in range(len(wrapped)):
            for bit in range(8):
                changed = bytearray(wrapped)
                changed[place] ^= 1 << bit
                with pytest.raises((SealBroken, MasterKeyProblem)):
                    vault.unwrap(bytes(changed), tenant=TENANT, masters=MASTERS)

    def test_one_cut_short_is_noticed(self) -> None:
        wrapped = vault.wrap(DATA_KEY, tenant=TENANT, masters=MASTERS)
        for size in range(len(wrapped)):
            with pytest.raises((SealBroken, MasterKeyProblem)):
                vault.unwrap(wrapped[:size], tenant=TENANT, masters=MASTERS)

    def test_of_two_master_keys_the_first_seals_and_both_open(self) -> None:
        before = vault.wrap(DATA_KEY, tenant=TENANT, masters=MASTERS)
        both = MasterKeys({"new": NEW, "old": OLD})

        after = vault.wrap(DATA_KEY, tenant=TENANT, masters=both)

        assert vault.wrapped_with(after) == "new"
        assert vault.unwrap(before, tenant=TENANT, masters=both) == DATA_KEY
        assert vault.unwrap(after, tenant=TENANT, masters=both) == DATA_KEY
        assert vault.unwrap(after, tenant=TENANT, masters=MasterKeys({"new": NEW})) == DATA_KEY


class TestSettings:
    @staticmethod
    def text(key: bytes) -> str:
        return base64.b64encode(key).decode()

    def test_keys_are_read_in_the_order_given(self) -> None:
        masters = vault.master_keys(f" new:{self.text(NEW)} , old:{self.text(OLD)},")

        assert masters.keys == {"new": NEW, "old": OLD}
        assert masters.sealing_id == "new"

    def test_the_longest_id_that_is_allowed_seals_and_opens(self) -> None:
        masters = vault.master_keys(f"A1b2C3d4E5f6G7h8:{self.text(NEW)}")

        wrapped = vault.wrap(DATA_KEY, tenant=TENANT, masters=masters)

        assert vault.unwrap(wrapped, tenant=TENANT, masters=masters) == DATA_KEY

    @pytest.mark.parametrize(
        ("setting", "says"),
        [
            ("", "is not set"),
            (" , ", "is not set"),
            ("justakey", "id:base64"),
            (":" + base64.b64encode(NEW).decode(), "id:base64"),
            ("a b:" + base64.b64encode(NEW).decode(), "letters and digits"),
            # Such an id could seal, but not open: it has more bytes than characters.
            ("schlüssel:" + base64.b64encode(NEW).decode(), "letters and digits"),
            ("a" * 17 + ":" + base64.b64encode(NEW).decode(), "letters and digits"),
            ("a:not base64!", "is not base64"),
            ("a:" + base64.b64encode(NEW[:31]).decode(), "too weak"),
            ("a:" + base64.b64encode(b"a" * 32).decode(), "too weak"),
            ("a:" + base64.b64encode(b"1234567" * 5).decode(), "too weak"),
            (f"a:{base64.b64encode(NEW).decode()},a:{base64.b64encode(OLD).decode()}", "twice"),
        ],
    )
    def test_a_missing_or_weak_setting_is_one_sentence_that_names_the_variable(
        self, setting: str, says: str
    ) -> None:
        with pytest.raises(MasterKeyProblem) as problem:
            vault.master_keys(setting)

        sentence = str(problem.value)
        assert sentence.startswith("FLO2_MASTER_KEYS")
        assert says in sentence
        assert sentence.count(".") == 1
        assert "\n" not in sentence

    def test_the_sentence_does_not_hold_the_key(self) -> None:
        weak = base64.b64encode(b"almost a key of 31 bytes, alas!").decode()

        with pytest.raises(MasterKeyProblem) as problem:
            vault.master_keys(f"a:{weak}")

        assert weak not in str(problem.value)
