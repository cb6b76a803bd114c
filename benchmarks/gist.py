"""How much faster GIST is than filtering every image at full resolution.

The reference filters the same prefiltered images with the same 32 gains, each by an inverse FFT of the whole spectrum,
as the usual code does. Both are checked against each other, and take images of UC Merced's size (256 x 256 x 3) to 128
pixels.

    python benchmarks/gist.py [--small] [--json]
"""

import argparse
import json
import sys
import time

import numpy as np
from scipy import fft

from keras_dhnn.baselines.gist import BLOCKS, ORIENTATIONS, SCALES, Gist, prefiltered, square, transfer

SIDE = 128


def whole_spectra(images):
    """Return `(n, 512)` GIST of images `(n, H, W, 3)` uint8, by inverse FFTs at full resolution."""
    sharp = prefiltered(square(images, SIDE))
    margin = SIDE // BLOCKS
    spectra = fft.fft2(np.pad(sharp, [(0, 0), (margin,) * 2, (margin,) * 2], mode="symmetric"), workers=-1)
    found = np.empty((len(images), SCALES * ORIENTATIONS, BLOCKS, BLOCKS), np.float32)
    for number, gain in enumerate(gains()):
        response = np.abs(fft.ifft2(spectra * gain, workers=-1))[:, margin:-margin, margin:-margin]
        found[:, number] = response.reshape(-1, BLOCKS, margin, BLOCKS, margin).mean(axis=(2, 4))
    return found.reshape(len(images), -1)


def gains():
    """Yield each filter's gain, zero frequency first."""
    for scale in range(SCALES):
        for orientation in range(ORIENTATIONS):
            yield fft.ifftshift(transfer(6 * SIDE // BLOCKS, scale, orientation)).astype(np.float32)


def seconds(function):
    """Return the wall-clock time of a call, and its result."""
    start = time.perf_counter()
    result = function()
    return time.perf_counter() - start, result


def main():
    """Print the ratio of images a second, ours over the reference's."""
    parser = argparse.ArgumentParser(description="GIST against filtering at full resolution: ratio of images a second.")
    parser.add_argument("--small", action="store_true", help="64 images, a smoke run; not 512")
    parser.add_argument("--json", action="store_true", help="print one object {name: ratio}")
    options = parser.parse_args()
    count = 64 if options.small else 512
    images = np.random.default_rng(0).integers(0, 256, (count, 256, 256, 3), dtype=np.uint8)
    gist = Gist(SIDE)
    gist.transform(images[:16])
    before, expected = seconds(lambda: whole_spectra(images[: count // 8]))
    ours, found = seconds(lambda: gist.transform(images))
    after, _ = seconds(lambda: whole_spectra(images[-count // 8 :]))
    error = np.abs(found[: count // 8] - expected).max() / expected.mean()
    if error > 0.05:
        raise SystemExit(f"GIST differs from filtering at full resolution by {error:.3f} of its mean.")
    reference = (before + after) / (count // 8 * 2)
    speeds = f"ours {count / ours:.0f}, reference {1 / reference:.0f}"
    print(f"images a second: {speeds}; difference {error:.4f}", file=sys.stderr)
    ratios = {"gist": reference * count / ours}
    print(json.dumps(ratios) if options.json else f"gist: {ratios['gist']:.2f} times the reference")


if __name__ == "__main__":
    main()
