"""GeoTIFF scenes for tests, at known places."""

import numpy as np


def scene_pixels(height, width, bands=3, dtype=np.uint8, seed=0):
    """`(bands, H, W)` pixels in which every tile is another."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 200, (bands, -(-height // 32), -(-width // 32)))
    pixels = np.kron(coarse, np.ones((1, 32, 32), int))[:, :height, :width] + rng.integers(
        0, 50, (bands, height, width)
    )
    return pixels.astype(dtype) * (200 if dtype == np.uint16 else 1)


def write_scene(path, pixels, crs="EPSG:32633", transform=None, gcps=None, **how):
    """Writes `(bands, H, W)` as a tiled GeoTIFF; by default of 0.5 m pixels in UTM 33."""
    import rasterio
    from rasterio.transform import Affine

    place = {"crs": crs, "transform": transform or Affine(0.5, 0, 400_000, 0, -0.5, 5_500_000)}
    if gcps is not None:
        place = {"crs": crs, "gcps": gcps}
    bands, height, width = pixels.shape
    kind = {"driver": "GTiff", "tiled": True, "blockxsize": 64, "blockysize": 64, "compress": "deflate"}
    size = {"height": height, "width": width, "count": bands, "dtype": pixels.dtype}
    with rasterio.open(path, "w", **{**kind, **size, **place, **how}) as raster:
        raster.write(pixels)
    return path


def some_colours(count, seed=0):
    """`(count, 3)` colours at random."""
    return np.random.default_rng(seed).integers(0, 256, (count, 3)).astype(np.uint8)


def write_palette(path, index, colours, **how):
    """Writes `(H, W)` indices of colours `(n, 3)` as a GeoTIFF with a colour table."""
    import rasterio

    write_scene(path, index[None], photometric="palette", **how)
    with rasterio.open(path, "r+") as raster:
        raster.write_colormap(1, {number: (*colour, 255) for number, colour in enumerate(colours.tolist())})
    return path
