"""Retrieve for one image file by a server, through TensorFlow Serving's REST API."""

import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from keras_dhnn.errors import DataError
from keras_dhnn.pipelines.formats.image_file import read_image_file
from keras_dhnn.pipelines.formats.unreadable import UnreadableImage
from keras_dhnn.saved_models.serving.client import RestClient
from keras_dhnn.saved_models.version.signature_names import choose_stem, images_signature, join


def search_remote(
    url: str, image: Path, k: int, task: tuple[str | None, str | None] = (None, None), class_name: str | None = None
) -> list[dict[str, Any]]:
    """Return the items that a served model finds for an image file of any format that `decode_image` reads.

    The file is decoded here and travels as PNG, or as numbers where PNG cannot hold it, so that the server sees the
    pixels that training would have seen.

    Args:
        url: of the model, such as `http://localhost:8501/v1/models/ucmd`.
        image: Path of the file.
        k: how many to find.
        task: (source of the image, source to search in) of a model with several sources.
        class_name: of the only class of items to find, or None.

    Returns:
        List of dictionaries `rank`, `distance`, `class` and `id`.

    Raises:
        DataError: if the file is not an image with the model's number of bands.
        ValueError: if the server does not answer, or refuses, or has no such task or class.
    """
    client = RestClient(url)
    signatures = client.metadata()
    stem = choose_stem(signatures, task, class_name is not None)
    more = {} if class_name is None else {"class_name": class_name}
    of_files, of_images = join(stem, "bytes"), images_signature(stem)
    channels = client.channels(of_images, signatures)
    try:
        pixels = read_image_file(image).image(channels)
    except UnreadableImage as error:
        raise DataError(f"{image} {error}. Expected {channels} bands, as the model takes.{error.cure}") from error
    if pixels.dtype == np.uint8 and of_files in signatures:
        (found,) = client.search_files([_as_png(pixels)], k, of_files, **more)
    else:
        (found,) = client.search_images(pixels[None], k, of_images, **more)
    return [
        {"rank": rank, "distance": item["distance"], "class": item["class"], "id": item["id"]}
        for rank, item in enumerate(found, 1)
    ]


def _as_png(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels if pixels.shape[2] == 3 else pixels[..., 0]).save(file, "PNG", compress_level=1)
    return file.getvalue()
