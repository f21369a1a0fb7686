from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel_mgmt.wire import DELIMITER, Signer, WireError

PARTS = [b'{"msg_id":"1"}', b"{}", b"{}", b"{}"]


def test_the_signature_is_the_hmac_of_the_four_parts() -> None:
    expected = hmac.new(b"key", b"".join(PARTS), hashlib.sha256).hexdigest().encode()

    assert Signer(b"key").sign([*PARTS, b"buffer"]) == expected


def test_frames_are_read_back_whatever_stands_before_them() -> None:
    frames = Signer(b"key").frames([*PARTS, b"buffer"])

    assert Signer(b"key").parse([b"topic", b"more", *frames]) == [*PARTS, b"buffer"]


def test_another_key_is_found_out() -> None:
    frames = Signer(b"other").frames(PARTS)

    with pytest.raises(WireError, match="wrong signature"):
        Signer(b"key").parse(frames)


def test_a_message_that_is_sent_again_is_found_out() -> None:
    signer = Signer(b"key")
    signer.parse(signer.frames(PARTS))

    with pytest.raises(WireError, match="seen before"):
        signer.parse(signer.frames(PARTS))


def test_a_wrong_signature_is_not_remembered() -> None:
    signer = Signer(b"key")
    right = signer.sign(PARTS)
    with pytest.raises(WireError):
        signer.parse([DELIMITER, right, b'{"msg_id":"2"}', *PARTS[1:]])

    assert signer.parse([DELIMITER, right, *PARTS]) == PARTS


def test_what_is_remembered_is_bounded() -> None:
    signer = Signer(b"key", remembered=2)
    for msg_id in (b"1", b"2", b"3"):
        signer.parse(signer.frames([msg_id, *PARTS]))

    assert signer.parse(signer.frames([b"1", *PARTS])) == [b"1", *PARTS]
    with pytest.raises(WireError, match="seen before"):
        signer.parse(signer.frames([b"3", *PARTS]))


@pytest.mark.parametrize("frames", [[], [DELIMITER], [DELIMITER, b"", b"", b"", b""], [b"x"] * 9])
def test_frames_that_are_no_message_are_refused(frames: list[bytes]) -> None:
    with pytest.raises(WireError):
        Signer(b"key").parse(frames)


@given(st.lists(st.one_of(st.binary(), st.just(DELIMITER)), max_size=9))
def test_no_frames_at_all_do_more_than_raise_a_wire_error(frames: list[bytes]) -> None:
    with pytest.raises(WireError):
        Signer(b"key").parse(frames)


@pytest.mark.parametrize("scheme", ["hmac-nonsense", "sha256", "", "rsa-sha256"])
def test_an_unknown_scheme_is_named(scheme: str) -> None:
    with pytest.raises(ValueError, match=repr(scheme)):
        Signer(b"key", scheme)


def test_an_empty_key_is_refused_and_the_way_out_is_named() -> None:
    with pytest.raises(ValueError, match=r"no key.*allow_unsigned=True"):
        Signer(b"")


def test_without_a_key_nothing_is_signed_and_every_message_counts() -> None:
    signer = Signer(b"", "", allow_unsigned=True)
    frames = signer.frames([*PARTS, b"buffer"])

    assert frames[:2] == [DELIMITER, b""]
    for signature in (b"", b"nonsense", b""):
        assert signer.parse([b"topic", DELIMITER, signature, *PARTS]) == PARTS


def test_a_key_is_used_also_where_it_may_be_missing() -> None:
    signer = Signer(b"key", allow_unsigned=True)

    assert signer.frames(PARTS) == Signer(b"key").frames(PARTS)
    with pytest.raises(WireError, match="wrong signature"):
        signer.parse([DELIMITER, b"", *PARTS])


@given(st.lists(st.one_of(st.binary(), st.just(DELIMITER)), max_size=9))
def test_frames_without_a_key_are_a_message_or_a_wire_error(frames: list[bytes]) -> None:
    try:
        parts = Signer(b"", allow_unsigned=True).parse(frames)
    except WireError:
        parts = None

    assert parts is None or len(parts) >= 4
