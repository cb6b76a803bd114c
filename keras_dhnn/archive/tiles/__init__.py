"""Read tiles from image files, GeoTIFF scenes and STAC catalogues, each an iterator of `Tile`, read ahead.

All of them are told which ids are known with which content, and read no pixels of those.
"""

from keras_dhnn.archive.tiles.files import file_form, file_tiles, list_images
from keras_dhnn.archive.tiles.scenes import Cut, Header, Scene, is_scene, read_header, read_headers, scene_tiles
from keras_dhnn.archive.tiles.stac import is_stac, stac_scenes
from keras_dhnn.archive.tiles.tile import Form, Skipped, Tile

__all__ = [
    "Cut",
    "Form",
    "Header",
    "Scene",
    "Skipped",
    "Tile",
    "file_form",
    "file_tiles",
    "is_scene",
    "is_stac",
    "list_images",
    "read_header",
    "read_headers",
    "scene_tiles",
    "stac_scenes",
]
