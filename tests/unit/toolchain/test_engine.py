"""Reading what containers print."""

from __future__ import annotations

from toolchain.setup.engine import demultiplexed


def piece(content: bytes, stream: int = 1) -> bytes:
    return bytes([stream, 0, 0, 0]) + len(content).to_bytes(4, "big") + content


def test_pieces_of_both_streams_are_joined() -> None:
    assert demultiplexed(piece(b"one\n") + piece(b"two\n", stream=2)) == b"one\ntwo\n"


def test_lengths_that_look_like_line_ends_do_no_harm() -> None:
    lines = [b"x" * (length - 1) + b"\n" for length in (10, 13, 133, 266)]
    assert demultiplexed(b"".join(map(piece, lines))) == b"".join(lines)


def test_a_cut_answer_is_fine() -> None:
    assert demultiplexed(b"") == b""
    assert demultiplexed(piece(b"whole\n") + b"\x01\x00\x00") == b"whole\n"
