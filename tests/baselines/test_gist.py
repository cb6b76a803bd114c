"""GIST against filtering at full resolution, and on gratings and patches whose energy is known to be somewhere."""

import numpy as np
import pytest

from keras_dhnn.baselines.gist import Gist, prefiltered, square, transfer

SIZE = 64


def grating(cycles, angle, size=SIZE):
    """Waves `(1, size, size)` of `cycles` a pixel, along `angle` radians from the columns' axis towards the rows'."""
    rows, columns = np.mgrid[:size, :size]
    return 100 + 50 * np.sin(2 * np.pi * cycles * (columns * np.cos(angle) + rows * np.sin(angle)))[None]


def patch(row, column, size=128, cycles=0.16):
    """Waves under a Gaussian window around a place, on grey."""
    rows, columns = np.mgrid[:size, :size]
    window = np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / (2 * 4**2))
    return (100 + 50 * window * np.sin(2 * np.pi * cycles * (columns - column)))[None]


def channels(images, size=SIZE):
    """`(n, scale, orientation, row, column)`."""
    return Gist(size).fit(images).transform(images).reshape(-1, 4, 8, 4, 4)


def noise(n=2, size=SIZE, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, size, size, 3)).astype(np.uint8)


def test_is_that_of_filters_at_full_resolution():
    images = prefiltered(square(noise(), SIZE))
    margin = SIZE // 4
    spectra = np.fft.fftshift(np.fft.fft2(np.pad(images, [(0, 0), (margin,) * 2, (margin,) * 2], "symmetric")), (1, 2))
    expected = np.empty((2, 4, 8, 4, 4))
    for scale in range(4):
        for orientation in range(8):
            gain = transfer(SIZE + 2 * margin, scale, orientation)
            response = np.abs(np.fft.ifft2(np.fft.ifftshift(spectra * gain, (1, 2))))[:, margin:-margin, margin:-margin]
            expected[:, scale, orientation] = response.reshape(2, 4, margin, 4, margin).mean(axis=(2, 4))
    np.testing.assert_allclose(channels(noise()), expected, rtol=0.03, atol=0.01 * expected.mean())


@pytest.mark.parametrize("orientation", range(8))
@pytest.mark.parametrize("scale", [0, 1, 2])
def test_energy_of_a_grating_is_in_its_channel(scale, orientation):
    energies = channels(grating(0.3 / 1.85**scale, np.pi * orientation / 8)).mean(axis=(0, 3, 4))
    assert np.unravel_index(energies.argmax(), energies.shape) == (scale, orientation)
    assert energies[scale, orientation] > 5 * energies[scale, (orientation + 4) % 8]


def test_a_quarter_turn_moves_orientations_by_four_and_turns_the_blocks():
    images = noise()
    turned = channels(np.rot90(images, axes=(1, 2)))
    expected = np.rot90(np.roll(channels(images), 4, axis=2), axes=(3, 4))
    np.testing.assert_allclose(turned, expected, rtol=0.02, atol=0.01 * expected.mean())


def test_moving_within_a_block_changes_little_and_to_the_next_block_moves_the_energy():
    here, near, next_block = (channels(patch(48, column), 128)[0] for column in (46, 50, 80))
    peak = np.unravel_index(here.argmax(), here.shape)
    assert peak == (1, 0, 1, 1)
    assert near[peak] == pytest.approx(here[peak], rel=0.03)
    assert np.linalg.norm(near - here) < 0.25 * np.linalg.norm(here)
    assert np.unravel_index(next_block.argmax(), next_block.shape) == (1, 0, 1, 2)


def test_brightness_and_contrast_of_the_whole_image_do_not_matter():
    image = noise(1).astype(np.float64)
    np.testing.assert_allclose(channels(image * 37 + 5), channels(image), rtol=1e-3)


def test_images_without_contrast_have_no_energy():
    np.testing.assert_array_equal(Gist(32).transform(np.full((1, 40, 30, 4), 7, np.uint16)), np.zeros((1, 512)))


def test_square_is_the_mean_of_bands_and_of_what_a_pixel_covers():
    images = noise(1)
    halves = images.mean(axis=3).reshape(1, 32, 2, 32, 2).mean(axis=(2, 4))
    expected = (halves - halves.min()) / (halves.max() - halves.min()) * 255
    np.testing.assert_allclose(square(images, 32), expected, atol=1e-3)


def test_images_may_be_more_than_a_chunk_or_none():
    many = noise(35, 32)
    described = Gist(32).transform(many)
    assert described.dtype == np.float32
    np.testing.assert_allclose(described[[0, 16, 34]], Gist(32).transform(many[[0, 16, 34]]), rtol=1e-5)
    assert Gist(32).transform(many[:0]).shape == (0, 512)


def test_rejects_what_is_no_image_and_no_size():
    with pytest.raises(ValueError, match="Expected images"):
        Gist().transform(np.zeros((3, 512)))
    with pytest.raises(ValueError, match="multiple of 4"):
        Gist(size=30).transform(noise())
