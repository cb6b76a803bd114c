import numpy as np
import pytest

from keras_dhnn.codes import binarize, from_words, hamming_distances, pack, to_words, unpack


def test_sign_of_zero_is_plus_one():
    np.testing.assert_array_equal(binarize([[-0.5, 0.0, 2.0]]), [[-1, 1, 1]])


def test_pack_puts_the_first_bit_highest():
    outputs = np.array([[1, -1, -1, -1, -1, -1, -1, 1, -1, -1, -1, -1, -1, -1, 0, -1]], float)
    np.testing.assert_array_equal(pack(outputs), [[0b10000001, 0b00000010]])


def test_bits_are_packed_as_they_are():
    outputs = np.random.default_rng(3).normal(size=(5, 16))
    np.testing.assert_array_equal(pack(outputs >= 0), pack(outputs))
    np.testing.assert_array_equal(binarize(outputs >= 0), binarize(outputs))
    np.testing.assert_array_equal(pack(binarize(outputs)), pack(outputs))


@pytest.mark.parametrize("function", [pack, binarize])
def test_unsigned_outputs_are_refused(function):
    with pytest.raises(ValueError, match=r"bits as bool\. Received: dtype='uint8'"):
        function(np.eye(8, dtype=np.uint8))


@pytest.mark.parametrize(
    "codes", [np.ones((2, 8), np.int8), np.full((2, 1), 1.5), np.zeros(8, np.uint8), np.zeros((2, 0), np.uint8)]
)
def test_what_is_not_packed_is_refused(codes):
    packed = np.zeros((1, 8), np.uint8)
    for measure in (
        unpack,
        lambda codes: hamming_distances(codes, packed),
        lambda codes: hamming_distances(packed, codes),
    ):
        with pytest.raises(ValueError, match=r"packed codes .*shape \(n, l / 8\), uint8\. Received: shape="):
            measure(codes)


def test_unpack_inverts_pack():
    outputs = np.random.default_rng(0).normal(size=(50, 24))
    np.testing.assert_array_equal(unpack(pack(outputs)), binarize(outputs))


@pytest.mark.parametrize("count", [0, 5])
def test_words_hold_codes(count):
    codes = np.random.default_rng(1).integers(0, 256, (count, 12), np.uint8)
    np.testing.assert_array_equal(from_words(to_words(codes), 96), codes)


@pytest.mark.parametrize("shape", [(3, 12), (3, 0), (8,)])
def test_pack_rejects_bits_not_multiple_of_8(shape):
    with pytest.raises(ValueError, match=r"multiple of 8\. Received: shape="):
        pack(np.zeros(shape))


def test_hamming_distances_against_counting_bits():
    random = np.random.default_rng(1)
    a, b = random.integers(0, 256, (7, 12), np.uint8), random.integers(0, 256, (9, 12), np.uint8)
    expected = [[sum(bin(x ^ y).count("1") for x, y in zip(p, q, strict=True)) for q in b.tolist()] for p in a.tolist()]
    np.testing.assert_array_equal(hamming_distances(a, b), expected)


def test_hamming_distances_rejects_other_lengths():
    with pytest.raises(ValueError, match=r"16 bits. Received: bits=8"):
        hamming_distances(np.zeros((1, 2), np.uint8), np.zeros((1, 1), np.uint8))
