from __future__ import annotations

from uuid import UUID, uuid5

from hypothesis import given
from hypothesis import strategies as st

from core.ids import derived_id, derived_ids

NAMESPACE = UUID("6f0a1f2e-6e3c-5d0e-9a53-0f5a7c1d2b4e")
parts = st.lists(st.text() | st.integers() | st.none(), max_size=4)


@given(parts, st.lists(st.integers() | st.text(), max_size=20))
def test_many_ids_are_those_of_each_when_they_share_their_beginning(shared: list[object], lasts: list[object]) -> None:
    assert derived_ids(shared, lasts) == [derived_id(*shared, last) for last in lasts]


@given(parts)
def test_an_id_is_a_uuid_of_version_5_when_it_is_derived(shared: list[object]) -> None:
    name = "".join(f"{len(str(part))}:{part}|" for part in shared)
    assert derived_id(*shared) == str(uuid5(NAMESPACE, name))
